//! Claims on schedules that are due. Any number of managers may claim; each schedule goes to one of them.
//!
//! A claim is a lease: who does not settle it in time has lost it, and what it then says is refused. It does not keep a
//! manager that was cut off from handing in a job once more; the job's key does.

use std::time::Duration;

use protocol::{LastRun, QueueName, Schedule, ScheduleName};
use rand::RngExt as _;

use super::{Schedules, time, unreadable};
use crate::{
    Error,
    script::{CLAIM_SCHEDULES, SETTLE_SCHEDULES},
};

/// What Redis answers: now, when the next is due, and name, definition and time of each that was claimed.
type Answer = (u64, String, Vec<(String, String, u64)>);

/// Schedules that are due, and are this manager's until the lease is over.
#[derive(Debug)]
pub struct Claims {
    /// Now by Redis' clock.
    pub now: u64,
    /// When there is something to claim again.
    pub next_at: Option<u64>,
    /// What was claimed, the most overdue first.
    pub claims: Vec<Claim>,
    /// What can't be read: names, and why. They are looked at again when the lease is over.
    pub unreadable: Vec<(String, Error)>,
    token: String,
}

/// A schedule that is due.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What was said of it.
    pub schedule: Schedule,
    /// The time that is due.
    pub due: u64,
}

/// How a claim ends.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The schedule.
    pub name: ScheduleName,
    /// Its next time; `None` if there is none any more.
    pub next: Option<u64>,
    /// Its latest run, if there was one.
    pub last: Option<LastRun>,
}

impl Schedules {
    /// Claims up to `most` schedules of a queue that are due, for as long as `lease`.
    pub async fn claim(
        &self,
        queue: &QueueName,
        lease: Duration,
        most: usize,
    ) -> Result<Claims, Error> {
        let keys = self.keys(queue);
        let token = format!("{:016x}", rand::rng().random::<u64>());
        let mut call = CLAIM_SCHEDULES.call(keys.base());
        call.arg(&token)
            .arg(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX))
            .arg(most);
        let (now, next, rows): Answer = self.redis.script(&call).await?;
        let mut found = Claims {
            now,
            next_at: next.parse().ok(),
            claims: Vec::with_capacity(rows.len()),
            unreadable: Vec::new(),
            token,
        };
        for (name, said, due) in rows {
            match serde_json::from_str(&said) {
                Ok(schedule) => found.claims.push(Claim { schedule, due }),
                Err(error) => found.unreadable.push((name, unreadable(error))),
            }
        }
        Ok(found)
    }

    /// Ends claims; says of each whether it still held. Of a claim that was lost, nothing is written.
    pub async fn settle(
        &self,
        queue: &QueueName,
        claims: &Claims,
        ends: &[Settlement],
    ) -> Result<Vec<bool>, Error> {
        let keys = self.keys(queue);
        let mut call = SETTLE_SCHEDULES.call(keys.base());
        call.arg(&claims.token);
        for Settlement { name, next, last } in ends {
            let job = last.map_or_else(|| "-".to_owned(), |last| last.job.to_string());
            call.arg(name.as_str())
                .arg(time(*next))
                .arg(time(last.map(|last| last.at)))
                .arg(job);
        }
        let held: Vec<u8> = self.redis.script(&call).await?;
        Ok(held.into_iter().map(|held| held == 1).collect())
    }
}
