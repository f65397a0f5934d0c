//! Says what went wrong in a run, from what was seen of it.
//!
//! Pure: a history goes in, a verdict comes out, so that each kind of wrong can be tested with a made-up history.
//! How long reruns took is in `rerun.rs`.

use std::collections::{BTreeSet, HashMap};

use protocol::{EventType, FailureCode, JobId, JobState, LOBBY_TOPIC};
use serde::Serialize;

use super::history::{History, Mark, Seen};

/// By how much clocks of one machine may seem to differ, in milliseconds: Redis reads its clock once per step.
const CLOCK_MS: u64 = 5;
/// What a power failure certainly takes: what was written in this time before it, in milliseconds.
const CERTAINLY_LOST_MS: u64 = 800;
/// How long followers may take to notice that the log went back, in milliseconds.
pub const NOTICE_MS: u64 = 30_000;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// The job, or the place.
    pub what: String,
    /// What is wrong with it.
    pub why: String,
    /// When it happened, or when what went wrong began.
    pub at: u64,
    /// On which channel, if that matters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topic: String,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// How many jobs were accepted.
    pub accepted: usize,
    /// How many of them completed.
    pub completed: usize,
    /// How many of them failed for good.
    pub failed: usize,
    /// How many of those because faults spent all their attempts; allowed.
    pub spent: usize,
    /// How many jobs ran more than once; allowed.
    pub rerun: usize,
    /// Accepted, but neither over nor known to be.
    pub lost: Vec<Wrong>,
    /// Writes of attempts that were not the newest.
    pub stale: Vec<Wrong>,
    /// Chat messages that came back to a client, but whose event did not come: their jobs are not known.
    pub unannounced: Vec<Wrong>,
    /// Over by Redis' record, but never announced.
    pub missing: Vec<Wrong>,
    /// Over more than once.
    pub doubled: Vec<Wrong>,
    /// Events after a job's end, and offsets that are not dense.
    pub disordered: Vec<Wrong>,
    /// Events that the log's follower said were lost.
    pub gaps: Vec<Wrong>,
    /// Logs that a power failure shortened, of which their follower did not say that events were lost: its offsets
    /// mean other events now.
    pub silent: Vec<Wrong>,
}

/// Judges a run.
pub fn judge(history: &History) -> Verdict {
    let ends = ends(history);
    let mut verdict = Verdict {
        accepted: history.accepted.len() + history.unannounced.len(),
        rerun: rerun(history),
        stale: stale(history, &ends),
        disordered: disordered(history),
        gaps: gaps(history),
        silent: silent(history),
        ..Verdict::default()
    };
    // Whoever was announced was stored too, whether or not a client lived to see it.
    let mut jobs: BTreeSet<JobId> = history.accepted.keys().copied().collect();
    jobs.extend(history.events.iter().map(|event| event.job));
    for job in jobs {
        match ends.get(&job).map(Vec::as_slice) {
            Some([end, more @ ..]) => {
                if end.event == EventType::Completed {
                    verdict.completed += 1;
                } else {
                    verdict.failed += 1;
                    verdict.spent += usize::from(end.failure == Some(FailureCode::LeaseLost));
                }
                verdict.doubled.extend(more.iter().map(|again| Wrong {
                    what: job.to_string(),
                    why: format!("{} after {}", brief(again), brief(end)),
                    at: end.time,
                    topic: String::new(),
                }));
            }
            _ => unfinished(history, job, &mut verdict),
        }
    }
    for (text, at) in &history.unannounced {
        verdict.unannounced.push(Wrong {
            what: format!("{text:?}"),
            why: "came back to a client, but no event announces it".to_owned(),
            at: *at,
            topic: LOBBY_TOPIC.to_owned(),
        });
    }
    verdict
}

fn unfinished(history: &History, job: JobId, verdict: &mut Verdict) {
    let first = || history.events.iter().find(|event| event.job == job);
    let at = history
        .accepted
        .get(&job)
        .copied()
        .or_else(|| first().map(|event| event.time))
        .unwrap_or_default();
    let wrong = |why: String| Wrong {
        what: job.to_string(),
        why,
        at,
        topic: String::new(),
    };
    match history.kept.get(&job) {
        Some(kept) if kept.state.is_terminal() => {
            let why = format!("is {} but no event says so", kept.state);
            verdict.missing.push(Wrong {
                at: kept.finished.unwrap_or(at),
                topic: kept.topic.to_string(),
                ..wrong(why)
            });
        }
        Some(kept) => {
            let why = format!("is still {} in attempt {}", kept.state, kept.attempt);
            verdict.lost.push(wrong(why));
        }
        None => verdict.lost.push(wrong(
            "Redis does not know it, and no event ends it".to_owned(),
        )),
    }
}

/// The terminal events of each job.
fn ends(history: &History) -> HashMap<JobId, Vec<&Seen>> {
    let mut ends: HashMap<JobId, Vec<&Seen>> = HashMap::new();
    for event in history
        .events
        .iter()
        .filter(|seen| seen.event.is_terminal())
    {
        ends.entry(event.job).or_default().push(event);
    }
    ends
}

fn brief(event: &Seen) -> String {
    format!(
        "{} of attempt {} at {}:{}",
        event.event.as_str(),
        event.attempt,
        event.topic,
        event.offset
    )
}

fn rerun(history: &History) -> usize {
    let mut begun: HashMap<JobId, u32> = HashMap::new();
    for run in history.runs.iter().filter(|run| run.mark == Mark::Begin) {
        *begun.entry(run.job).or_default() += 1;
    }
    begun.values().filter(|count| **count > 1).count()
}

fn gaps(history: &History) -> Vec<Wrong> {
    let gap = |(topic, at): &(&str, u64)| Wrong {
        what: (*topic).to_owned(),
        why: "its follower says that events were lost".to_owned(),
        at: *at,
        topic: (*topic).to_owned(),
    };
    history.gaps.iter().map(gap).collect()
}

fn silent(history: &History) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for down in history.down.iter().filter(|down| down.lost_bytes > 0) {
        let until = down.from + NOTICE_MS;
        let gone =
            |event: &&Seen| down.from - CERTAINLY_LOST_MS < event.time && event.time <= down.from;
        let topics: BTreeSet<&str> = history
            .events
            .iter()
            .filter(gone)
            .map(|event| event.topic)
            .collect();
        for topic in topics {
            let told = |(of, at): &(&str, u64)| *of == topic && (down.from..=until).contains(at);
            if !history.gaps.iter().any(told) {
                wrong.push(Wrong {
                    what: topic.to_owned(),
                    why: "went back, and its follower did not say so".to_owned(),
                    at: down.from,
                    topic: topic.to_owned(),
                });
            }
        }
    }
    wrong
}

/// Offsets must be dense, across the epochs of a log that outlived its Redis too, and nothing follows a job's end but another end, which is
/// counted as doubled.
fn disordered(history: &History) -> Vec<Wrong> {
    let mut wrong: Vec<Wrong> = Vec::new();
    let mut places: HashMap<&str, &Seen> = HashMap::new();
    let mut over: HashMap<JobId, &Seen> = HashMap::new();
    for event in &history.events {
        if let Some(last) = places.insert(event.topic, event)
            && event.offset != last.offset + 1
        {
            let (epoch, offset) = (&event.epoch, event.offset);
            wrong.push(Wrong {
                what: event.topic.to_owned(),
                why: format!("{epoch}:{offset} follows {}:{}", last.epoch, last.offset),
                at: last.time,
                topic: String::new(),
            });
        }
        if event.event.is_terminal() {
            over.entry(event.job).or_insert(event);
        } else if let Some(end) = over.get(&event.job) {
            wrong.push(Wrong {
                what: event.job.to_string(),
                why: format!("{} after {}", brief(event), brief(end)),
                at: end.time,
                topic: String::new(),
            });
        }
    }
    wrong
}

/// Writes that the fence should have refused.
fn stale(history: &History, ends: &HashMap<JobId, Vec<&Seen>>) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let mut add = |job: JobId, at: u64, why: String| {
        wrong.push(Wrong {
            what: job.to_string(),
            why,
            at,
            topic: String::new(),
        });
    };
    let mut newest: HashMap<JobId, &Seen> = HashMap::new();
    for event in &history.events {
        let known = newest.entry(event.job).or_insert(event);
        if event.attempt < known.attempt {
            let why = format!("{}, but before that {}", brief(event), brief(known));
            add(event.job, known.time, why);
        } else {
            *known = event;
        }
        if let Some(of) = event.of_attempt
            && of != event.attempt
        {
            let why = format!("{} has the result of attempt {of}", brief(event));
            add(event.job, event.time, why);
        }
    }
    for (job, kept) in &history.kept {
        let end = ends.get(job).and_then(|ends| ends.last());
        let at = end.map_or(0, |end| end.time);
        if let (JobState::Completed, Some(of)) = (kept.state, kept.of_attempt)
            && of != kept.attempt
        {
            let why = format!("attempt {} has the result of attempt {of}", kept.attempt);
            add(*job, at, why);
        }
        if let Some(end) = end
            && end.attempt != kept.attempt
        {
            let why = format!("{}, but Redis is at attempt {}", brief(end), kept.attempt);
            add(*job, end.time, why);
        }
    }
    // Redis counted an attempt before it began, so an older one that ended after that was let through.
    for run in history.runs.iter().filter(|run| run.mark == Mark::Begin) {
        for end in ends.get(&run.job).into_iter().flatten() {
            if end.attempt < run.attempt && end.time > run.at + CLOCK_MS {
                let why = format!("{}, but attempt {} had begun", brief(end), run.attempt);
                add(run.job, run.at, why);
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests;
