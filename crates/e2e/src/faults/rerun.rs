//! How long it takes until a job of a killed, stopped or cut off worker runs again on another.

use std::collections::HashMap;

use protocol::JobId;
use serde::Serialize;

use super::{
    history::{Down, History, Mark, Run},
    spread::Spread,
};

/// One job that ran again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rerun {
    /// The job.
    pub job: JobId,
    /// From the fault to the next beginning on another worker, in milliseconds.
    pub took_ms: u64,
    /// Whether Redis did not answer at some time between: then it is not the system that takes long.
    pub redis_down: bool,
}

/// The times of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Reruns {
    /// While Redis answered all the time.
    pub redis_up: Spread,
    /// All, whatever else happened.
    pub all: Spread,
}

impl Reruns {
    /// Sums up.
    pub fn of(reruns: &[Rerun]) -> Self {
        let up = reruns.iter().filter(|rerun| !rerun.redis_down);
        Self {
            redis_up: Spread::of(up.map(|rerun| rerun.took_ms).collect()),
            all: Spread::of(reruns.iter().map(|rerun| rerun.took_ms).collect()),
        }
    }
}

/// Finds every job that a worker was running when it was struck and that another worker began after that.
pub fn reruns(history: &History) -> Vec<Rerun> {
    let mut by_job: HashMap<JobId, Vec<&Run>> = HashMap::new();
    for run in &history.runs {
        by_job.entry(run.job).or_default().push(run);
    }
    let mut reruns = Vec::new();
    for outage in &history.outages {
        for (job, runs) in &by_job {
            let before = || runs.iter().filter(|run| run.at <= outage.at);
            // What it ran last, unless that was over or another worker had the job already.
            let Some(held) = before().max_by_key(|run| (run.attempt, run.mark == Mark::End)) else {
                continue;
            };
            if held.mark == Mark::End || held.pid != outage.pid {
                continue;
            }
            let next = runs
                .iter()
                .filter(|run| run.mark == Mark::Begin && run.at > outage.at)
                .filter(|run| run.pid != outage.pid && run.attempt > held.attempt)
                .min_by_key(|run| run.at);
            if let Some(next) = next {
                reruns.push(Rerun {
                    job: *job,
                    took_ms: next.at - outage.at,
                    redis_down: is_down(&history.down, outage.at, next.at),
                });
            }
        }
    }
    reruns.sort_by_key(|rerun| (rerun.took_ms, rerun.job));
    reruns
}

fn is_down(down: &[Down], from: u64, to: u64) -> bool {
    down.iter().any(|down| down.from <= to && from <= down.to)
}

#[cfg(test)]
mod tests {
    use protocol::JobId;

    use super::{Reruns, reruns};
    use crate::faults::history::{Down, History, Mark, Outage, Run};

    fn run(mark: Mark, attempt: u32, pid: u32, at: u64) -> Run {
        let job = JobId::from_parts(0, 1);
        Run {
            mark,
            job,
            attempt,
            pid,
            at,
        }
    }

    fn took(runs: &[Run]) -> Vec<u64> {
        let history = History {
            runs: runs.to_vec(),
            outages: vec![Outage { pid: 7, at: 100 }],
            ..History::default()
        };
        reruns(&history).iter().map(|rerun| rerun.took_ms).collect()
    }

    #[test]
    fn from_the_fault_to_the_next_beginning_elsewhere() {
        use Mark::{Begin, End};
        let held = run(Begin, 1, 7, 50);
        assert_eq!(took(&[held, run(Begin, 2, 8, 10_100)]), [10_000]);
        // A stopped worker that ends after all does not matter.
        assert_eq!(
            took(&[held, run(Begin, 2, 8, 9_100), run(End, 1, 7, 12_000)]),
            [9_000]
        );
    }

    #[test]
    fn what_it_did_not_hold_does_not_count() {
        use Mark::{Begin, End};
        let next = run(Begin, 2, 8, 10_100);
        assert!(took(&[run(Begin, 1, 7, 50), run(End, 1, 7, 60), next]).is_empty());
        assert!(took(&[run(Begin, 1, 9, 50), next]).is_empty());
        assert!(
            took(&[
                run(Begin, 1, 7, 50),
                run(Begin, 2, 9, 90),
                run(Begin, 3, 8, 200)
            ])
            .is_empty()
        );
        assert!(took(&[run(Begin, 1, 7, 50)]).is_empty());
        assert!(took(&[run(Begin, 1, 7, 150), next]).is_empty());
    }

    #[test]
    fn those_that_had_to_wait_for_redis_are_told_apart() {
        let history = History {
            runs: vec![run(Mark::Begin, 1, 7, 50), run(Mark::Begin, 2, 8, 20_100)],
            outages: vec![Outage { pid: 7, at: 100 }],
            down: vec![Down {
                from: 90,
                to: 110,
                killed: true,
                lost_bytes: 0,
            }],
            ..History::default()
        };
        let sum = Reruns::of(&reruns(&history));
        assert_eq!((sum.all.count, sum.redis_up.count), (1, 0));
        assert_eq!(sum.all.max, 20_000);
    }
}
