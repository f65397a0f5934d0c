//! Whether Redis holds what the model says, and nothing else.

use std::collections::BTreeMap;

use protocol::{Event, Failure, JobId, JobState};

use super::{
    book::{Book, Record},
    hand::whose,
    laws,
    op::{KINDS, TENANTS, WORKERS},
    raw::{Dump, Value},
    stored::Stored,
    tally,
    world::{BASE, Fits, World, same},
};

/// What belongs to no job, and why it may be there after all jobs are gone: it is one key, expires, or is what an
/// operator set.
const FIXED: [&str; 4] = ["count", "kinds", "settings", "overrides"];
const EXPIRING: [&str; 6] = ["worker:", "kind:", "round:", "inbox:", "rate:", "hand:"];

/// A dump of which what was compared is taken away.
pub struct Rest<'a>(BTreeMap<&'a str, &'a Value>);

impl<'a> Rest<'a> {
    pub fn take(&mut self, key: &str) -> Option<&'a Value> {
        self.0.remove(key)
    }

    fn members(&mut self, key: &str) -> Vec<String> {
        self.take(key).map(Value::members).unwrap_or_default()
    }
}

fn texts(ids: &[JobId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

impl World<'_> {
    pub fn check(&mut self, dump: &Dump) -> Fits {
        let own = dump
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(BASE)?, value)));
        let mut rest = Rest(own.collect());
        check_jobs(&self.book, &mut rest)?;
        check_lines(&self.book, &mut rest)?;
        check_sets(&self.book, dump, &mut rest)?;
        tally::check_counters(&self.book, &mut rest)?;
        tally::check_due(dump)?;
        self.check_logs(dump, &mut rest)?;
        self.check_words(&mut rest)?;
        check_keys(&self.book, &mut rest)?;
        check_staff(&self.book, &mut rest)?;
        check_offers(&self.book, &mut rest)?;
        for (key, value) in rest.0 {
            let lives = FIXED.contains(&key) || key == "workers";
            let expires = EXPIRING.iter().any(|start| key.starts_with(start)) && value.ttl > 0;
            if !lives && !expires {
                return Err(format!("a key too many: {key} {value:?}"));
            }
        }
        Ok(())
    }

    fn check_logs(&mut self, dump: &Dump, rest: &mut Rest<'_>) -> Fits {
        self.entries.clear();
        self.epochs
            .retain(|topic, _| self.book.logs.contains_key(topic));
        self.runs
            .retain(|topic, _| self.book.logs.contains_key(topic));
        for (topic, should) in &self.book.logs {
            // The log of a job's own channel is told by the job, and so is its end.
            let job = dump.get(&format!("{BASE}job:{topic}")).map(Stored::read);
            let top = rest.take(&format!("top:{topic}"));
            let [offset, first, bytes, run, epoch_now, former] = match (&job, top) {
                (Some(job), None) => job.log(),
                (None, Some(top)) => ["o", "f", "b", "r", "e", "p"]
                    .map(|name| top.field(name).unwrap_or_default().to_owned()),
                _ => return Err(format!("no position of {topic}, or two")),
            };
            let epoch = self
                .epochs
                .entry(topic.clone())
                .or_insert_with(|| epoch_now.clone());
            // Only another run of Redis gives a log another epoch, and says where the old one ended. Until it has an
            // event, a job's own log has no run.
            let mut former = former.rsplit(' ').skip(1).step_by(2);
            let before = self.runs.insert(topic.clone(), run.clone());
            if before.is_some_and(|before| !run.starts_with(&before)) {
                same("the former epoch", &former.next(), &Some(&**epoch))?;
                epoch.clone_from(&epoch_now);
            }
            same("the epoch of a log", &epoch_now, epoch)?;
            let log = rest.take(&format!("log:{topic}"));
            let mut entries: Vec<String> = log.map(|log| log.parts.clone()).unwrap_or_default();
            let listed: usize = entries.iter().map(String::len).sum();
            // What an attempt tells is added to the log alone, and nobody counts its bytes.
            let is_active = job.as_ref().and_then(|job| job.field("state")) == Some("active");
            let (offset, bytes) = match offset.parse::<usize>() {
                Ok(told) if is_active && top.is_none() && told < entries.len() => {
                    (entries.len().to_string(), listed.to_string())
                }
                _ if bytes == "-" => (offset, listed.to_string()),
                _ => (offset, bytes),
            };
            entries.extend(job.and_then(|job| job.ending(topic)));
            if let Some(top) = top {
                let full = top.field("m").unwrap_or("none");
                let newest = ["n", "s"].map(|name| top.field(name).unwrap_or("none"));
                let segments = full.replace(' ', ":") + &newest.join(":");
                let numbers = segments.split(':').map(str::parse::<usize>);
                let numbers: Vec<_> = numbers.collect::<Result<_, _>>().map_err(|_| segments)?;
                let sums = [0, 1].map(|part| numbers.iter().skip(part).step_by(2).sum());
                same("a log's segments", &sums, &[entries.len(), listed])?;
            }
            same(
                "a log's position",
                &[offset, first, bytes],
                &[entries.len().to_string(), "1".into(), listed.to_string()],
            )?;
            let mut is = Vec::new();
            for (n, json) in entries.iter().enumerate() {
                let event = match self.events.get(json) {
                    Some(event) => event.clone(),
                    None => read(json, n + 1)?,
                };
                self.events.insert(json.clone(), event.clone());
                is.push(event);
            }
            self.entries.insert(topic.clone(), entries);
            same(format_args!("the log of {topic}"), &is, should)?;
            laws::of_a_log(&is, |id| {
                let lives = self.book.lives.get(&id).copied().unwrap_or(0);
                (lives, self.book.jobs.get(&id).map(|job| job.state))
            })?;
            if top.is_some_and(|top| top.ttl <= 0 || log.is_some_and(|log| log.ttl <= 0)) {
                return Err(format!("the log of {topic} stays for ever"));
            }
        }
        Ok(())
    }

    /// What workers are told, and that one is woken when there is something to take.
    fn check_words(&self, rest: &mut Rest<'_>) -> Fits {
        let mut looks = Vec::new();
        for (n, worker) in WORKERS.iter().enumerate() {
            let inbox = rest.take(&format!("inbox:{worker}"));
            let mut is: Vec<String> = inbox.map(|inbox| inbox.parts.clone()).unwrap_or_default();
            if is.iter().any(|message| message == "look") {
                looks.push(n);
            }
            is.retain(|message| message != "look");
            let told = self.book.told.iter().filter(|(who, ..)| *who == n);
            let should = told
                .map(|(_, id, attempt)| format!("cancel {id} {attempt}"))
                .collect();
            same("what a worker is told", &is, &should)?;
        }
        for kind in &self.book.set_aside {
            let staff = &self.book.staff;
            if !looks
                .iter()
                .any(|who| staff[*who].alive && staff[*who].knows(*kind))
            {
                return Err(format!(
                    "nobody is told of jobs set aside: {}",
                    KINDS[*kind]
                ));
            }
        }
        let waits = self.book.rings.iter().any(|ring| !ring.is_empty());
        let is = rest.take("wake").map_or(0, |wake| wake.parts.len());
        same(
            "wake-ups",
            &is,
            &usize::from(self.wakes && waits && self.book.gate() > 0),
        )
    }
}

/// An event, which stands at an offset.
pub fn read(json: &str, offset: usize) -> Result<super::book::Event, String> {
    let event: Event<'_> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if event.from.is_some_and(|from| from != offset as u64) {
        return Err(format!("output from elsewhere: {json}"));
    }
    Ok(super::book::Event {
        name: event.event.as_str(),
        job: event.job,
        attempt: event.attempt,
        data: event.data.map(|data| data.get().to_owned()),
        error: event.error.map(|error| error.code),
    })
}

fn check_jobs(book: &Book, rest: &mut Rest<'_>) -> Fits {
    for (id, job) in &book.jobs {
        let value = rest
            .take(&format!("job:{id}"))
            .ok_or_else(|| format!("{id} is gone: {job:?}"))?;
        let stored = Stored::read(value);
        let text = |name| stored.field(name).unwrap_or_default().to_owned();
        let error = stored
            .outcome("error")
            .map(serde_json::from_str::<Failure>)
            .transpose();
        let error = error
            .map_err(|error| error.to_string())?
            .map(|failure| failure.code);
        let worker = job.worker.map(|worker| WORKERS[worker].to_owned());
        same(
            format_args!("{id}"),
            &(
                text("state"),
                text("attempt"),
                text("back"),
                error,
                stored.outcome("result").map(str::to_owned),
            ),
            &(
                job.state.to_string(),
                job.attempt.to_string(),
                job.back.to_string(),
                job.error,
                job.result.clone(),
            ),
        )?;
        same(
            format_args!("{id}'s worker, cancellation and time to live"),
            &(
                stored.field("worker").map(str::to_owned),
                stored.field("cancel").is_some(),
                text("expires"),
            ),
            &(
                worker,
                job.cancel,
                job.expires.map(|at| at.to_string()).unwrap_or_default(),
            ),
        )?;
        same(
            format_args!("{id} as it was handed in"),
            &["kind", "tenant", "priority", "max", "topic"]
                .map(|name| text(name).replace('=', &id.to_string())),
            &[
                KINDS[job.job.kind].to_owned(),
                TENANTS[job.job.tenant].to_owned(),
                job.job.priority.to_string(),
                job.job.attempts.to_string(),
                job.topic.clone(),
            ],
        )?;
        same(
            format_args!("the bytes of {id}, and whether it stays"),
            &(
                (stored.number("bytes") + stored.number("extra")) as u64,
                value.ttl < 0,
            ),
            &(job.bytes, true),
        )?;
    }
    Ok(())
}

fn check_lines(book: &Book, rest: &mut Rest<'_>) -> Fits {
    for priority in 0..3 {
        for (tenant, name) in TENANTS.iter().enumerate() {
            let line = texts(&book.line(priority, tenant));
            same(
                format_args!("line {priority} of {name}"),
                &rest.members(&format!("wait:{priority}:{name}")),
                &line,
            )?;
            let served =
                book.rings[priority].contains(&tenant) || book.parked.contains_key(&tenant);
            if !line.is_empty() && !served {
                return Err(format!("line {priority} of {name} is never served"));
            }
        }
        let ring: Vec<_> = book.rings[priority]
            .iter()
            .map(|tenant| TENANTS[*tenant].to_owned())
            .collect();
        same(
            format_args!("ring {priority}"),
            &rest.members(&format!("ring:{priority}")),
            &ring,
        )?;
    }
    let mut parked: Vec<_> = book
        .parked
        .iter()
        .map(|(tenant, score)| (*score, TENANTS[*tenant].to_owned()))
        .collect();
    parked.sort_unstable();
    let parked = parked.into_iter().map(|(_, name)| name).collect();
    same("parked tenants", &rest.members("parked"), &parked)?;
    for (kind, name) in KINDS.iter().enumerate() {
        let aside = texts(&book.aside(kind));
        same(
            format_args!("{name} aside"),
            &rest.members(&format!("aside:{name}")),
            &aside,
        )?;
    }
    let mut asides = rest
        .take("asides")
        .map(|set| set.parts.clone())
        .unwrap_or_default();
    asides.sort_unstable();
    same(
        "kinds set aside",
        &asides,
        &book
            .asides
            .iter()
            .map(|kind| KINDS[*kind].to_owned())
            .collect(),
    )
}

fn check_sets(book: &Book, dump: &Dump, rest: &mut Rest<'_>) -> Fits {
    let sorted = |which: &dyn Fn(&Record) -> Option<u64>| {
        let mut ids: Vec<_> = book
            .jobs
            .iter()
            .filter_map(|(id, job)| Some((which(job)?, *id)))
            .collect();
        ids.sort_unstable();
        texts(&ids.into_iter().map(|(_, id)| id).collect::<Vec<_>>())
    };
    let expiring = sorted(&|job| job.expires.filter(|_| job.expiring));
    same("expiring", &rest.members("expiring"), &expiring)?;
    for state in JobState::ALL.into_iter().skip(1) {
        let score = |job: &Record| match job.state {
            JobState::Delayed => job.due,
            JobState::Active => job.lease,
            _ => job.finished,
        };
        let should = sorted(&|job| (job.state == state).then(|| score(job)));
        same(state.as_str(), &rest.members(state.as_str()), &should)?;
        if state.is_terminal() {
            let kept = |id: &String| Stored::read(&dump[&format!("{BASE}job:{id}")]).number("kept");
            let kept: usize = should.iter().map(kept).sum();
            let field = format!("{state}_bytes");
            let is = dump
                .get(&format!("{BASE}count"))
                .and_then(|count| count.field(&field));
            same(&field, &is.unwrap_or("0").to_owned(), &kept.to_string())?;
        }
    }
    Ok(())
}

fn check_keys(book: &Book, rest: &mut Rest<'_>) -> Fits {
    for ((tenant, key), (.., owner)) in &book.keys {
        let name = format!("key:{}:{key}", TENANTS[*tenant]);
        let value = rest.take(&name).ok_or_else(|| format!("no {name}"))?;
        if !value.parts[0].ends_with(&format!(" {owner}")) || value.ttl < 23 * 3_600_000 {
            return Err(format!("{name} should be {owner}'s for a day: {value:?}"));
        }
    }
    Ok(())
}

fn check_offers(book: &Book, rest: &mut Rest<'_>) -> Fits {
    let mut is: Vec<_> = rest
        .members("offers")
        .iter()
        .map(|one| whose(one))
        .collect();
    is.sort_unstable();
    let stands = |who: &usize| book.staff[*who].offer.stands;
    same("offers", &is, &(0..WORKERS.len()).filter(stands).collect())
}

/// A kind is known for as long as the longest lease of a worker that has it.
fn check_staff(book: &Book, rest: &mut Rest<'_>) -> Fits {
    for (n, name) in KINDS.iter().chain(["*"].iter()).enumerate() {
        let every = n == KINDS.len();
        let has = |one: &super::book::Staff| {
            one.alive && (one.kinds.contains(&n) || every && one.kinds.is_empty())
        };
        let kind = rest.take(&format!("kind:{name}"));
        if book.staff.iter().any(has) && kind.is_none_or(|kind| kind.ttl < 3_000_000) {
            return Err(format!("that {name} is known will be forgotten: {kind:?}"));
        }
        if kind.is_some_and(|kind| kind.ttl <= 0) {
            return Err(format!("that {name} was known stays for ever"));
        }
    }
    Ok(())
}
