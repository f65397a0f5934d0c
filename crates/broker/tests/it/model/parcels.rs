//! Jobs in parcels, as if each were by itself: to whom a model speaks, there is no difference.

use std::collections::BTreeMap;

use broker::testing::Act;
use protocol::{JobId, JobState};

use super::{
    book::Record,
    op::End,
    raw::{Dump, Value},
    real::what,
    world::{BASE, World},
};

impl World<'_> {
    /// The ends of all that a worker holds, as a worker would write them: those of a parcel in its order.
    pub fn all_done(&self, who: usize) -> Vec<Act> {
        let book = &self.book;
        let is_held = |job: &Record| job.state == JobState::Active && job.worker == Some(who);
        let mut ids = book.ids(is_held);
        ids.sort_by_key(|id| (self.together.get(&id.to_string()), book.jobs[id].place));
        let complete = |id: JobId| {
            let attempt = book.jobs[&id].attempt;
            let what = what(End::Complete, attempt);
            Act { id, attempt, what }
        };
        ids.into_iter().map(complete).collect()
    }

    /// All that Redis holds, as if there were no parcels.
    pub async fn dump(&mut self) -> Dump {
        let dump = self.raw.dump().await;
        self.together.clear();
        for (key, value) in &dump {
            if let Some(number) = key.strip_prefix(&format!("{BASE}parcel:")) {
                let ids = value.parts.iter().step_by(2);
                let ids = ids.map(|id| (id.clone(), number.to_owned()));
                self.together.extend(ids);
            }
        }
        match unfolded(dump.clone()) {
            Ok(unfolded) => unfolded,
            Err(why) => panic!("{why}: {dump:?}"),
        }
    }
}

/// Takes parcels out of what Redis holds, and puts their jobs where they would be. Says what is wrong with a parcel.
fn unfolded(mut dump: Dump) -> Result<Dump, String> {
    let parcels = dump.remove(&format!("{BASE}parcels"));
    let mut more = BTreeMap::from([("active_more", 0), ("completed_more", 0)]);
    for name in parcels.iter().flat_map(Value::members) {
        unfold(&mut dump, &name, &mut more).map_err(|why| format!("{why} {name}"))?;
    }
    let count = dump.get_mut(&format!("{BASE}count"));
    for (field, n) in more {
        let is = count.as_ref().and_then(|count| count.field(field));
        if is.unwrap_or("0") != n.to_string() {
            return Err(format!("{n} {field} in parcels, counted are {is:?}"));
        }
    }
    for state in ["active", "completed"] {
        if let Some(set) = dump.get_mut(&format!("{BASE}{state}")) {
            sort(set);
        }
    }
    let is_known = |(key, value): (&String, &Value)| {
        let sets = ["wait:", "active", "completed"].map(|set| format!("{BASE}{set}"));
        let is_set = sets.iter().any(|set| key.starts_with(set));
        !is_set || !value.parts.iter().any(|it| it.starts_with('@'))
    };
    if let Some((key, _)) = dump.iter().find(|it| !is_known(*it)) {
        return Err(format!("a parcel that nobody finds in {key}"));
    }
    Ok(dump)
}

/// Members of one time, by id: what is said after the milliseconds is not compared.
fn sort(set: &mut Value) {
    let time = |score: &str| -> u64 {
        let whole = score.split('.').next();
        whole.and_then(|whole| whole.parse().ok()).unwrap()
    };
    let mut pairs: Vec<_> = set
        .pairs()
        .map(|(id, score)| (time(score), id.to_owned(), score.to_owned()))
        .collect();
    pairs.sort_unstable();
    set.parts = pairs
        .into_iter()
        .flat_map(|(_, id, score)| [id, score])
        .collect();
}

/// What the jobs of a parcel have in their fronts, and in which set it stands.
struct State<'a> {
    set: String,
    /// Worker, start and first place.
    taken: Option<(&'a str, &'a str, usize)>,
    /// When, with how many bytes, and in which run of Redis they completed, and their results.
    completed: Option<(&'a str, &'a str, &'a str, Vec<String>)>,
}

impl State<'_> {
    fn front(&self, n: usize, head: &str, since: &str) -> (String, &str) {
        let Some((worker, started, place)) = self.taken else {
            return (String::new(), "");
        };
        let numbers = format!("1 0 worker={worker} started={started} place={}", place + n);
        let Some((finished, kept, run, results)) = &self.completed else {
            return (format!("active {numbers}"), "");
        };
        // Only the sum is known.
        let kept = if n == 0 { kept } else { "0" };
        let own = head.split([' ', '\n']).nth(5) == Some("=");
        let log = format!(" log=1:1:0:{run}:{}", since.replace(' ', ""));
        let (log, result) = (if own { &*log } else { "" }, &results[n]);
        let size = result.len();
        let front =
            format!("completed {numbers} finished={finished} kept={kept}{log} result={size}");
        (front, result)
    }
}

fn unfold(
    dump: &mut Dump,
    name: &str,
    more: &mut BTreeMap<&str, usize>,
) -> Result<(), &'static str> {
    let words: Vec<_> = name.split(' ').collect();
    let [ids, number, created, born, kind, line, size, ref rest @ ..] = words[..] else {
        return Err("no name of a parcel:");
    };
    let (greatest, least) = ids[1..].split_at(26);
    let held = dump.remove(&format!("{BASE}parcel:{number}"));
    let held = held.ok_or("nothing in")?;
    let many = held.parts.len() / 2;
    let results = dump.remove(&format!("{BASE}results:{number}"));
    let number = |text: &str| text.parse::<usize>().map_err(|_| "no number in");
    let set = |name: String| format!("{BASE}{name}");
    let state = match *rest {
        [] => State {
            set: set(format!("wait:{line}")),
            taken: None,
            completed: None,
        },
        [worker, started, place, of, ref rest @ ..] => {
            if number(of)? != many {
                return Err("another number of jobs in");
            }
            let completed = match *rest {
                [] => None,
                [finished, kept, run] => {
                    let results = results.as_ref().ok_or("no results of")?.parts.clone();
                    Some((finished, kept, run, results))
                }
                _ => return Err("no name of a parcel:"),
            };
            if completed.as_ref().is_some_and(|it| it.3.len() != many) {
                return Err("another number of results of");
            }
            let of = completed.as_ref().map_or("active", |_| "completed");
            let field = completed
                .as_ref()
                .map_or("active_more", |_| "completed_more");
            *more.get_mut(field).unwrap() += many - 1;
            State {
                set: set(of.to_owned()),
                taken: Some((worker, started, number(place)?)),
                completed,
            }
        }
        _ => return Err("no name of a parcel:"),
    };
    if results.is_some() && state.completed.is_none() {
        return Err("results of");
    }
    let set = dump.get_mut(&state.set).ok_or("not where it should be:")?;
    let at = set.parts.iter().position(|part| part == name);
    let at = at.ok_or("not where it should be:")?;
    let score = set.parts[at + 1].clone();
    let mut members = Vec::new();
    let mut records = Vec::new();
    for (n, pair) in held.parts.chunks(2).enumerate() {
        let [id, job] = pair else {
            return Err("half a job in");
        };
        if id.as_str() < least || id.as_str() > greatest {
            return Err("another id in");
        }
        if job.split(' ').nth(1) != Some(kind) {
            return Err("another kind in");
        }
        if size != "-" && !job.starts_with(&format!("oif{size} ")) {
            return Err("another size in");
        }
        let its_score = match state.taken {
            None => (number(&score)? + n).to_string(),
            Some(_) => score.clone(),
        };
        members.extend([id.clone(), its_score]);
        let since = format!("{created} {born}");
        let (front, result) = state.front(n, job, &since);
        records.push((id, format!("{front};{since} {job}{result}")));
    }
    set.parts.splice(at..at + 2, members);
    for (id, record) in records {
        let value = Value {
            ttl: -1,
            parts: vec![record],
        };
        if dump.insert(format!("{BASE}job:{id}"), value).is_some() {
            return Err("stored twice, once in");
        }
    }
    Ok(())
}
