//! New jobs as their script reads them: those that have most in common and follow each other say it once.

use std::collections::{HashMap, HashSet};

use protocol::{EventLevel, IdempotencyKey, Job, JobId, Priority, Topic};

use crate::{
    call::Call, extra::Extra, groups::one_line, new_id::NewId, parcel, producer::Submission,
};

/// How long a payload may be that is written whenever its job changes; longer ones are in a key of their own.
const INSIDE: usize = 1024;

/// What a script gets of one job. Made by who hands the job in, so that the task which stores all has less to do.
pub(crate) struct Encoded {
    mode: Mode,
    is_apart: bool,
    /// Whether no other job can have its id.
    is_fresh: bool,
    /// Whether it may wait in a parcel, from which it is taken the short way (`lua/round_new.lua`).
    may_be_parcelled: bool,
    /// How many bytes the payload has, and what only workers read.
    bytes: usize,
    args: Vec<String>,
}

/// What jobs ask for, and so which arguments they have. See `lua/enqueue_new.lua`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Nothing,
    Said,
    Special,
}

impl Encoded {
    pub(crate) fn new(id: &NewId, job: &Job, metadata: &HashMap<String, String>) -> Self {
        Self::with(id, job, metadata, false)
    }

    fn with(id: &NewId, job: &Job, metadata: &HashMap<String, String>, is_special: bool) -> Self {
        let (id, is_fresh) = (id.get(), id.is_fresh());
        let options = &job.options;
        let topic = topic(id, job);
        let payload = job.payload.get();
        let extra = Extra::of(options, metadata).stored();
        let is_apart = payload.len() > INSIDE;
        let key = options.key.as_ref().map_or("", IdempotencyKey::as_str);
        let (delay, run_at, ttl) = (
            options.delay_ms,
            options.run_at.unwrap_or(0),
            options.ttl_ms.unwrap_or(0),
        );
        let say = match (&options.announce, options.events) {
            (Some(announce), _) => Some(one_line(announce.get())),
            (None, EventLevel::All) => Some("".into()),
            (None, EventLevel::Outcome) => None,
        };
        let asks = delay != 0 || run_at != 0 || ttl != 0 || !key.is_empty();
        let mode = match &say {
            _ if asks || is_special || topic.parse::<JobId>().is_ok() => Mode::Special,
            Some(_) => Mode::Said,
            None => Mode::Nothing,
        };
        // What scripts only copy comes as it is stored: `lua/job.lua` says how.
        let mut head = format!(
            "{}{}{}{} {} {} {} {} {}",
            match options.events {
                EventLevel::All => 'a',
                EventLevel::Outcome => 'o',
            },
            if is_apart { 'x' } else { 'i' },
            if ttl == 0 { 'f' } else { 'e' },
            payload.len(),
            job.kind,
            options.max_attempts,
            options.priority.line(),
            options.tenant,
            if topic.is_empty() { "=" } else { topic },
        );
        if !extra.is_empty() {
            head = format!("{head} extra={}", extra.len());
        }
        if !key.is_empty() {
            head = format!("{head} key={key}");
        }
        let bytes = payload.len() + extra.len();
        let mut args = vec![id.to_string()];
        if mode == Mode::Special {
            let say = say.as_deref().unwrap_or("-").to_owned();
            let options = if asks {
                format!("{delay} {run_at} {ttl} {key}")
            } else {
                String::new()
            };
            args.extend([head, payload.to_owned(), extra, say, options]);
        } else {
            let inside = if is_apart { "" } else { payload };
            args.push([&head, "\n", inside, &extra].concat());
            args.extend(say.map(Into::into));
            args.extend(is_apart.then(|| payload.to_owned()));
        }
        Self {
            mode,
            is_apart,
            is_fresh,
            may_be_parcelled: is_fresh
                && !is_apart
                && options.events == EventLevel::Outcome
                && options.priority == Priority::Normal
                && match mode {
                    Mode::Nothing => true,
                    Mode::Said => !topic.is_empty(),
                    Mode::Special => false,
                },
            bytes,
            args,
        }
    }
}

/// The topic; empty where it is the job's own id.
fn topic(id: JobId, job: &Job) -> &str {
    let named = job.options.topic.as_ref().map_or("", Topic::as_str);
    let is_own = named.len() == 26 && named == id.to_string();
    if is_own { "" } else { named }
}

/// By what a batch is known, should it come twice.
pub(crate) struct BatchName<'a> {
    /// Who sends it.
    pub(crate) sender: &'a str,
    /// Of the sender's batches.
    pub(crate) number: u64,
    /// The one whose jobs it has again, if it is not known what became of that.
    pub(crate) stands_for: Option<u64>,
}

/// Writes the batch's name where that matters, how many jobs and groups there are, and the groups.
pub(crate) fn write(call: &mut Call<'_>, batch: &[Submission], name: &BatchName<'_>) {
    let mut ids = HashSet::new();
    let mut is_first = |one: &Submission| ids.insert(one.id.get());
    if batch.iter().all(|one| one.id.is_fresh()) || batch.iter().all(&mut is_first) {
        let jobs: Vec<_> = batch.iter().map(|one| (one, &one.encoded)).collect();
        return write_groups(call, &jobs, name);
    }
    // Of jobs with one id it is said one by one what becomes of them.
    let again: Vec<_> = batch
        .iter()
        .map(|one| Encoded::with(&one.id, &one.job, &one.metadata, true))
        .collect();
    write_groups(call, &batch.iter().zip(&again).collect::<Vec<_>>(), name);
}

/// What jobs of a group have in common.
#[derive(PartialEq, Eq)]
struct Header<'a> {
    mode: Mode,
    kind: &'a str,
    tenant: &'a str,
    topic: &'a str,
    priority: u8,
    is_apart: bool,
    is_fresh: bool,
    /// What the ids of a parcel have in common, where it may be one.
    parcel: Option<u64>,
}

impl<'a> Header<'a> {
    fn of((submission, encoded): &(&'a Submission, &Encoded)) -> Self {
        let job = &submission.job;
        Self {
            mode: encoded.mode,
            kind: job.kind.as_str(),
            tenant: job.options.tenant.as_str(),
            topic: topic(submission.id.get(), job),
            priority: job.options.priority.line(),
            is_apart: encoded.is_apart,
            is_fresh: encoded.is_fresh,
            parcel: encoded
                .may_be_parcelled
                .then(|| parcel::moment(submission.id.get())),
        }
    }
}

/// How the jobs of a group are stored, as scripts read it.
fn how(header: &Header<'_>, group: &[(&Submission, &Encoded)]) -> String {
    if header.parcel.is_some() && group.len() >= parcel::LEAST {
        let ids = || group.iter().map(|(submission, _)| submission.id.get());
        if let (Some(greatest), Some(least)) = (ids().max(), ids().min()) {
            let first = group[0].1.bytes;
            let are_equal = group.iter().all(|(_, encoded)| encoded.bytes == first);
            let size = if are_equal {
                first.to_string()
            } else {
                String::new()
            };
            return format!("p{greatest}{least}{size}");
        }
    }
    let known = if header.is_fresh { "" } else { "k" };
    let apart = if header.is_apart { "x" } else { "" };
    [known, apart].concat()
}

fn write_groups(call: &mut Call<'_>, jobs: &[(&Submission, &Encoded)], name: &BatchName<'_>) {
    let groups: Vec<_> = jobs
        .chunk_by(|a, b| Header::of(a) == Header::of(b))
        .map(|group| {
            let header = Header::of(&group[0]);
            let how = how(&header, group);
            (header, how, group)
        })
        .collect();
    let BatchName { sender, number, .. } = name;
    call.arg(match name.stands_for {
        Some(unknown) => format!("{sender} {number} {unknown}"),
        // Nothing else is harmed by coming twice.
        None if groups.iter().any(|(_, how, _)| how.starts_with('p')) => {
            format!("{sender} {number}")
        }
        None => String::new(),
    });
    call.arg(jobs.len()).arg(groups.len());
    for (header, how, group) in groups {
        call.arg(match header.mode {
            Mode::Nothing => "n",
            Mode::Said => "s",
            Mode::Special => "x",
        })
        .arg(group.len())
        .arg(header.kind)
        .arg(header.tenant)
        .arg(header.topic)
        .arg(header.priority)
        .arg(
            group
                .iter()
                .map(|(_, encoded)| encoded.bytes)
                .sum::<usize>(),
        )
        .arg(how);
        for (_, encoded) in group {
            call.arg(&encoded.args);
        }
    }
}
