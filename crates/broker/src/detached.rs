//! An attempt without a queue: what its handler emits goes to whoever made it, so that handlers can be run and
//! tested without Redis. Never writes anything.

use std::time::Duration;

use apalis_core::error::BoxDynError;
use protocol::{EventType, Failure, JobId};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    JobHandle, Output,
    handle::{Action, Op},
    outcome::Outcome,
};

/// How many events may wait to be received before [`JobHandle::emit`] waits.
const CAPACITY: usize = 64;

/// The receiving end of a [`JobHandle`] that is tied to no queue.
#[derive(Debug)]
pub struct Detached {
    ops: mpsc::Receiver<Op>,
}

impl Detached {
    /// A handle of an attempt, and what receives its events. Up to 64 events wait; then the handle does.
    pub fn new(
        id: JobId,
        attempt: u32,
        max_attempts: u32,
        cancelled: CancellationToken,
    ) -> (JobHandle, Self) {
        let (sender, ops) = mpsc::channel(CAPACITY);
        let handle = JobHandle::new(id, attempt, max_attempts, sender, cancelled);
        (handle, Self { ops })
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
    /// The job waits again, and no attempt was spent.
    HandedBack,
}

impl Settled {
    /// Judges what came out of an attempt by the same rules as a worker on a queue, the limit of a result included.
    pub fn of(result: Result<Output, BoxDynError>, attempt: u32) -> Self {
        match Outcome::of(result, attempt) {
            Outcome::Complete(value) => Self::Completed(value),
            Outcome::Retry(failure, pause) => Self::Retry(failure, pause),
            Outcome::Fail(failure) => Self::Failed(failure),
            Outcome::HandBack => Self::HandedBack,
        }
    }
}
