//! How long jobs wait and run: what tells a queue that keeps up from one that does not.
//!
//! Looked up when asked for, in a bounded number of jobs, so that no job pays for it.

use std::time::Duration;

use protocol::{JobId, JobState, Priority, QueueName};
use serde::Serialize;

use crate::{Error, Inspector, Keys, parcel};

/// How many of the newest completed jobs are looked at.
const SAMPLES: usize = 250;
/// How many lines are looked at for the oldest waiting job: those whose turn is next.
const LINES: usize = 100;

/// Half, 95 and 99 of a hundred jobs took no longer than this, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are the percentiles")]
pub struct Percentiles {
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
}

/// How long jobs took that completed last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// How many jobs this is made of.
    pub samples: usize,
    /// From when a job came in, or was due, to the beginning of its latest attempt.
    pub wait_ms: Percentiles,
    /// How long that attempt took.
    pub run_ms: Percentiles,
}

/// How a queue does now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Vitals {
    /// How long the oldest of the next jobs has been in the queue. Absent when none waits.
    pub oldest_waiting_ms: Option<u64>,
    /// Absent while no job has completed.
    pub latency: Option<Latency>,
}

impl Inspector {
    /// Looks at the jobs that are next, and at those that completed last.
    pub async fn vitals(&self, queue: &QueueName) -> Result<Vitals, Error> {
        let keys = self.queue_keys(queue);
        let oldest = self.oldest_waiting(queue).await?;
        let ids = self.ids(queue, JobState::Completed, SAMPLES).await?;
        let (mut waits, mut runs) = (Vec::new(), Vec::new());
        for job in self.redis().summaries(&keys, &ids).await? {
            if let (Some(began), Some(ended)) = (job.started_at, job.finished_at) {
                waits.push(began.saturating_sub(job.due_at.unwrap_or(job.created_at)));
                runs.push(ended.saturating_sub(began));
            }
        }
        Ok(Vitals {
            oldest_waiting_ms: oldest.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            latency: (!runs.is_empty()).then(|| Latency {
                samples: runs.len(),
                wait_ms: percentiles(waits),
                run_ms: percentiles(runs),
            }),
        })
    }

    /// For how long the oldest of the next jobs has been in the queue. None when none waits.
    pub async fn oldest_waiting(&self, queue: &QueueName) -> Result<Option<Duration>, Error> {
        let keys = self.queue_keys(queue);
        let next = self.fronts(&keys).await?;
        if next.is_empty() {
            return Ok(None);
        }
        let parcels = next.iter().filter_map(|name| parcel::created(name));
        let parcels = parcels.min();
        let next: Vec<JobId> = next.iter().filter_map(|id| id.parse().ok()).collect();
        let now = self.redis().now_at(keys.base()).await?;
        let next = self.redis().summaries(&keys, &next).await?;
        let waiting = next.iter().filter(|job| job.state == JobState::Waiting);
        let since = waiting
            .map(|job| job.due_at.unwrap_or(job.created_at))
            .chain(parcels)
            .min();
        Ok(since.map(|since| Duration::from_millis(now.saturating_sub(since))))
    }

    /// What is first in each line: the id of a job, or the name of a parcel.
    async fn fronts(&self, keys: &Keys) -> Result<Vec<String>, Error> {
        let lines = [Priority::High, Priority::Normal, Priority::Low].map(Priority::line);
        let mut rings = redis::pipe();
        for key in [keys.parked()]
            .into_iter()
            .chain(lines.map(|line| keys.ring(line)))
        {
            rings.cmd("ZRANGE").arg(key).arg(0).arg(LINES - 1);
        }
        let found: Vec<Vec<String>> = self.redis().pipe(&rings).await?;
        let mut fronts = redis::pipe();
        let mut any = false;
        for (n, line) in lines.into_iter().enumerate() {
            for tenant in found[0].iter().chain(&found[n + 1]) {
                let key = keys.line(line, tenant);
                fronts.cmd("ZRANGE").arg(key).arg(0).arg(0);
                any = true;
            }
        }
        if !any {
            return Ok(Vec::new());
        }
        let fronts: Vec<Vec<String>> = self.redis().pipe(&fronts).await?;
        Ok(fronts.into_iter().flatten().collect())
    }

    /// The time of Redis, in milliseconds since the Unix epoch.
    pub async fn now(&self) -> Result<u64, Error> {
        self.redis().now().await
    }
}

fn percentiles(mut values: Vec<u64>) -> Percentiles {
    values.sort_unstable();
    let at = |percent: usize| {
        let rank = (values.len() * percent).div_ceil(100).max(1);
        values.get(rank - 1).copied().unwrap_or(0)
    };
    Percentiles {
        p50: at(50),
        p95: at(95),
        p99: at(99),
    }
}

#[cfg(test)]
mod tests {
    use super::{Percentiles, percentiles};

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let of = |values: &[u64]| percentiles(values.to_vec());
        let (p50, p95, p99) = (50, 95, 99);
        assert_eq!(
            of(&(1..=100).rev().collect::<Vec<_>>()),
            Percentiles { p50, p95, p99 }
        );
        let (p50, p95, p99) = (7, 7, 7);
        assert_eq!(of(&[7]), Percentiles { p50, p95, p99 });
        assert_eq!(of(&[]), Percentiles::default());
    }
}
