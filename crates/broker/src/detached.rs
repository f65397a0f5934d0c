//! An attempt without a queue: what its handler emits goes to whoever made it, so that handlers can be run and
//! tested without Redis. Never writes anything.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use apalis_core::error::BoxDynError;
use protocol::{EventType, Failure, JobId, JobOptions};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    JobHandle, Output, StopReason, ack,
    handle::{Action, Attempt, Op},
    outcome::Outcome,
};

/// How many events may wait to be received before [`JobHandle::emit`] waits.
const CAPACITY: usize = 64;

/// The receiving end of a [`JobHandle`] that is tied to no queue.
#[derive(Debug)]
pub struct Detached {
    attempt: Arc<Attempt>,
    ops: mpsc::Receiver<Op>,
}

impl Detached {
    /// A handle of an attempt, from 1, of a job with these options, and what receives its events. Up to 64 events
    /// wait; then the handle does.
    pub fn new(id: JobId, attempt: u32, options: &JobOptions) -> (JobHandle, Self) {
        let (sender, ops) = mpsc::channel(CAPACITY);
        let attempt = Arc::new(Attempt {
            id,
            number: attempt,
            spent: attempt,
            max_attempts: options.max_attempts,
            retry: options.retry.unwrap_or_default(),
            timeout: options.timeout_ms.map(Duration::from_millis),
            renew_until: OnceLock::new(),
            slack: Duration::ZERO,
            given: None,
            wait: None,
            cancelled: CancellationToken::new(),
            why: OnceLock::new(),
        });
        let handle = JobHandle::new(Arc::clone(&attempt), sender);
        (handle, Self { attempt, ops })
    }

    /// Tells the handler that the attempt should end.
    pub fn stop(&self, why: StopReason) {
        self.attempt.stop(why);
    }

    /// What the handler sees as cancelled.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.attempt.cancelled
    }

    /// Judges what came out of the attempt by the same rules as a worker on a queue, the limit of a result included.
    pub fn settle(&self, result: Result<Output, BoxDynError>) -> Settled {
        match ack::outcome(&self.attempt, Some(result)) {
            Outcome::Complete(value) => Settled::Completed(value),
            Outcome::Retry(failure, pause) => Settled::Retry(failure, pause),
            Outcome::Fail(failure) => Settled::Failed(failure),
            Outcome::Cancel => Settled::Cancelled,
            Outcome::HandBack => Settled::HandedBack,
        }
    }

    /// The next event, in the order of emission. `None` once every clone of the handle is gone and nothing waits.
    pub async fn recv(&mut self) -> Option<(EventType, Box<RawValue>)> {
        loop {
            if let Action::Emit(event, data) = self.ops.recv().await?.action {
                return Some((event, data));
            }
        }
    }

    /// The next event that waits already.
    pub fn try_recv(&mut self) -> Option<(EventType, Box<RawValue>)> {
        loop {
            if let Action::Emit(event, data) = self.ops.try_recv().ok()?.action {
                return Some((event, data));
            }
        }
    }
}

/// What the queue would make of an attempt.
#[derive(Clone, Debug)]
pub enum Settled {
    /// The job is done, with this result.
    Completed(Box<RawValue>),
    /// The attempt failed. After the pause the job is tried again, if it has attempts left.
    Retry(Failure, Duration),
    /// The job failed for good.
    Failed(Failure),
    /// The job is cancelled.
    Cancelled,
    /// The job waits again, and no attempt was spent.
    HandedBack,
}
