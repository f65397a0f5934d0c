//! Hands in `ledger` jobs with the broker's producer, and hands each in again until it has a receipt.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use broker::{FreshId, NewId, Producer, SubmitError};
use protocol::{EventLevel, Job, JobId, JobOptions, Kind, Topic};
use serde_json::value::to_raw_value;

use super::{
    book::Book,
    pace::Pace,
    watcher::WORK_TOPIC,
    work::{WORK_KIND, Work},
};

/// How many jobs may wait for their receipts.
const AHEAD: usize = 64;
/// How long to wait before a job that was refused is handed in again.
const PAUSE: Duration = Duration::from_millis(200);

/// Hands in jobs.
pub struct Submitter {
    /// How they reach Redis.
    pub producer: Producer,
    /// Where receipts are written.
    pub book: Arc<Book>,
    /// What the jobs' work is derived from.
    pub seed: u64,
    /// How often a job was not confirmed and was handed in again under its id.
    pub again: AtomicU64,
    /// How often a job was refused, which should not happen.
    pub refused: AtomicU64,
}

impl Submitter {
    /// Hands in so many jobs.
    pub async fn run(&self, count: u64, pace: Pace) {
        let next = AtomicU64::new(0);
        let lane = async || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return;
                }
                pace.due(number).await;
                self.submit(&Work::draw(self.seed, number)).await;
            }
        };
        futures_util::future::join_all((0..AHEAD).map(|_| lane())).await;
    }

    /// Hands in one job until it is accepted.
    pub async fn submit(&self, work: &Work) -> JobId {
        let fresh = FreshId::new();
        let id = fresh.get();
        let mut first = Some(NewId::from(fresh));
        let job = Job {
            kind: Kind::new(WORK_KIND).expect("the constant is a name"),
            payload: to_raw_value(work).expect("numbers and flags are JSON"),
            options: JobOptions {
                topic: Some(Topic::new(WORK_TOPIC).expect("the constant is a name")),
                events: EventLevel::Outcome,
                ..JobOptions::default()
            },
        };
        loop {
            let name = first.take().unwrap_or_else(|| id.into());
            match self.producer.submit(name, job.clone()).await {
                Ok(_) => break,
                Err(SubmitError::Unconfirmed) => self.again.fetch_add(1, Ordering::Relaxed),
                Err(_) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
        }
        self.book.receipt(id);
        id
    }
}
