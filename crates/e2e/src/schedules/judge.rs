//! What is right: each time once among the jobs, each job run once, none early. Pure, from what was found.

use std::collections::{HashMap, HashSet};

use protocol::{JobId, JobRecord};
use serde::Serialize;

/// How many examples are told of each thing that is wrong.
const EXAMPLES: usize = 5;

/// A job that was found, of which time of which schedule.
#[derive(Clone, Debug)]
pub struct Found {
    /// `name/time`, out of its key.
    pub run: String,
    /// The time.
    pub at: u64,
    /// How long after it the job was handed in.
    pub late_ms: i64,
    /// How often a worker began it.
    pub begun: u32,
}

/// What is wrong, with examples, and how late runs were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How many runs there had to be.
    pub expected: usize,
    /// How many of them happened once.
    pub once: usize,
    /// Those that did not happen, or have not begun.
    pub missing: Vec<String>,
    /// Those that are several jobs, or one that began several times.
    pub twice: Vec<String>,
    /// Those that nobody asked for.
    pub strange: Vec<String>,
    /// Those before their time.
    pub early: Vec<String>,
    /// By how much half of them, 99 in a hundred, and all, were late at most.
    pub late_ms: [i64; 3],
}

/// The time that a job is for.
pub(super) fn time_of(job: &JobRecord) -> Option<u64> {
    let (_, at) = job.key.as_ref()?.as_str().rsplit_once('/')?;
    at.parse().ok()
}

impl Found {
    pub(super) fn of(job: &JobRecord, begun: &HashMap<JobId, u32>) -> Self {
        let key = job.key.as_ref().map_or("", |key| key.as_str());
        let at = time_of(job).unwrap_or(0);
        Self {
            run: key.strip_prefix("schedule/").unwrap_or(key).to_owned(),
            at,
            late_ms: job.created_at.cast_signed() - at.cast_signed(),
            begun: begun.get(&job.id).copied().unwrap_or(0),
        }
    }
}

impl Verdict {
    /// Judges what was found against all times of a window.
    pub(super) fn of(expected: &[String], found: Vec<Found>, (from, to): (u64, u64)) -> Self {
        let mut counts: HashMap<String, u32> = HashMap::new();
        let mut verdict = Self {
            expected: expected.len(),
            ..Self::default()
        };
        let wanted: HashSet<&str> = expected.iter().map(String::as_str).collect();
        let mut late = Vec::with_capacity(found.len());
        let mut unwanted = HashSet::new();
        for one in found {
            *counts.entry(one.run.clone()).or_default() += one.begun.max(1);
            if one.begun == 0 {
                verdict.missing.push(format!("{} has not begun", one.run));
            }
            if one.late_ms < 0 {
                verdict.early.push(one.run.clone());
            }
            let inside = (from..=to).contains(&one.at);
            if inside {
                late.push(one.late_ms);
            }
            if inside && !wanted.contains(one.run.as_str()) {
                unwanted.insert(one.run);
            }
        }
        verdict.strange.extend(unwanted);
        for run in expected {
            match counts.get(run) {
                None => verdict.missing.push(run.clone()),
                Some(1) => verdict.once += 1,
                Some(_) => {}
            }
        }
        let twice = counts.into_iter().filter(|(_, count)| *count > 1);
        verdict.twice = twice
            .map(|(run, count)| format!("{run} {count} times"))
            .collect();
        late.sort_unstable();
        if let Some(last) = late.len().checked_sub(1) {
            verdict.late_ms = [50, 99, 100].map(|percent| late[last * percent / 100]);
        }
        verdict
    }

    /// Whether each run happened once, and nothing else did.
    pub fn is_right(&self) -> bool {
        let lists = [&self.missing, &self.twice, &self.strange, &self.early];
        self.expected > 0 && self.once == self.expected && lists.iter().all(|list| list.is_empty())
    }

    /// The same in a few lines.
    pub fn lines(&self) -> Vec<String> {
        let [half, most, all] = self.late_ms;
        let mut lines = vec![
            format!("expected {}, happened once {}", self.expected, self.once),
            format!("late by at most: half {half} ms, 99% {most} ms, all {all} ms"),
        ];
        for (name, list) in [
            ("missing", &self.missing),
            ("twice", &self.twice),
            ("strange", &self.strange),
            ("early", &self.early),
        ] {
            let examples = list.iter().take(EXAMPLES).cloned().collect::<Vec<_>>();
            lines.push(format!("{name} {} {}", list.len(), examples.join(", ")));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Verdict};

    fn found(run: &str, late_ms: i64, begun: u32) -> Found {
        Found {
            run: run.to_owned(),
            at: run.rsplit_once('/').unwrap().1.parse().unwrap(),
            late_ms,
            begun,
        }
    }

    #[test]
    fn what_happened_once_is_right() {
        let expected = ["a/10".to_owned(), "b/11".to_owned()];
        let right = vec![
            found("a/10", 3, 1),
            found("b/11", 5, 1),
            found("a/20", 0, 1),
        ];
        let verdict = Verdict::of(&expected, right.clone(), (10, 15));
        assert!(verdict.is_right(), "{verdict:?}");
        assert_eq!(verdict.late_ms, [3, 3, 5]);
        let wrong = |change: fn(&mut Vec<Found>)| {
            let mut found = right.clone();
            change(&mut found);
            let verdict = Verdict::of(&expected, found, (10, 15));
            assert!(!verdict.is_right(), "{verdict:?}");
        };
        wrong(|found| drop(found.remove(0)));
        wrong(|found| found.push(found[0].clone()));
        wrong(|found| found[0].begun = 2);
        wrong(|found| found[1].begun = 0);
        wrong(|found| found[2].begun = 2);
        wrong(|found| found[0].late_ms = -1);
        wrong(|found| {
            found.push(Found {
                run: "c/12".to_owned(),
                at: 12,
                ..found[0].clone()
            });
        });
        assert!(!Verdict::of(&[], vec![], (10, 15)).is_right());
    }
}
