//! Failed jobs by what went wrong: the newest of them, put together by class and by what their errors say.
//!
//! Numbers and ids differ from job to job, so they do not count. Changes nothing, and looks at a bounded number of jobs.

use std::collections::HashMap;

use protocol::{FailureCode, JobId, JobState, Kind, QueueName};
use serde::Serialize;

use crate::{Browse, Error, Inspector, JobFilter};

/// How many of the newest failed jobs are looked at.
const LOOKS: usize = 2_000;
/// How much of an error's first line counts, in characters.
const LINE: usize = 160;
/// How many groups are kept; what is in none of them is counted with the rest.
const GROUPS: usize = 200;

/// Failed jobs whose errors say the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorGroup {
    /// The class of the failure.
    pub code: FailureCode,
    /// The first line of the error, with `#` for numbers and ids.
    pub message: String,
    /// How many of the jobs that were looked at.
    pub count: u64,
    /// Their kinds, at most ten.
    pub kinds: Vec<Kind>,
    /// When the first of them ended, in milliseconds since the Unix epoch.
    pub first_at: u64,
    /// When the last of them did.
    pub last_at: u64,
    /// The last of them.
    pub example: JobId,
}

/// What went wrong lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Errors {
    /// How many jobs were looked at, the newest.
    pub looked: u64,
    /// How many failed jobs there are.
    pub of: u64,
    /// The most frequent first.
    pub groups: Vec<ErrorGroup>,
}

impl Inspector {
    /// Groups the newest failed jobs of a queue by their errors.
    pub async fn errors(&self, queue: &QueueName) -> Result<Errors, Error> {
        let filter = JobFilter::default();
        let browse = Browse {
            queue,
            states: &[JobState::Failed],
            filter: &filter,
            limit: LOOKS,
        };
        let (counts, _) = self.counts(queue).await?;
        let mut errors = Errors {
            of: counts.failed,
            ..Errors::default()
        };
        let mut groups = HashMap::<(FailureCode, String), ErrorGroup>::new();
        let mut after = None;
        // A place that Redis gave out itself is one.
        while let Ok(page) = self.browse(&browse, after).await? {
            for job in page.jobs {
                errors.looked += 1;
                let Some(error) = job.error else { continue };
                let at = job.finished_at.unwrap_or(job.created_at);
                let message = pattern(&error.message);
                let full = groups.len() >= GROUPS;
                let key = (error.code, message.clone());
                if full && !groups.contains_key(&key) {
                    continue;
                }
                let group = groups.entry(key).or_insert_with(|| ErrorGroup {
                    code: error.code,
                    message,
                    count: 0,
                    kinds: Vec::new(),
                    first_at: at,
                    last_at: at,
                    example: job.id,
                });
                group.count += 1;
                group.first_at = group.first_at.min(at);
                if !group.kinds.contains(&job.kind) && group.kinds.len() < 10 {
                    group.kinds.push(job.kind);
                }
            }
            after = page.next;
            if after.is_none() || errors.looked >= LOOKS as u64 {
                break;
            }
        }
        errors.groups = groups.into_values().collect();
        let order = |group: &ErrorGroup| {
            (
                std::cmp::Reverse((group.count, group.last_at)),
                group.example,
            )
        };
        errors.groups.sort_unstable_by_key(order);
        Ok(errors)
    }
}

/// The first line, with `#` for each word that holds a digit, up to what is around it.
fn pattern(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let mut pattern = String::new();
    let mut word = String::new();
    for c in line.chars().take(LINE).chain([' ']) {
        if c.is_alphanumeric() || c == '_' || c == '-' {
            word.push(c);
            continue;
        }
        let varies = word.contains(|c: char| c.is_ascii_digit());
        pattern.push_str(if varies { "#" } else { &word });
        word.clear();
        pattern.push(c);
    }
    pattern.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn what_differs_from_job_to_job_does_not_count() {
        for (message, expected) in [
            (
                "no route to 10.0.0.7:443 after 30s",
                "no route to #.#.#.#:# after #",
            ),
            (
                "order 01ARZ3NDEKTSV4RRFFQ69G5FAV not found",
                "order # not found",
            ),
            ("user `ann-17` is unknown\nat x.rs:5", "user `#` is unknown"),
            ("plain words, no more", "plain words, no more"),
            ("", ""),
        ] {
            assert_eq!(pattern(message), expected);
        }
    }
}
