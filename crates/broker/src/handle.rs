//! A worker's hold on one attempt of one job: through it the handler speaks, and through it the attempt ends.

use protocol::{EventType, Failure, JobId, limits::MAX_EVENT_DATA_BYTES};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::outcome::Outcome;

/// What is written about an attempt. Operations of one attempt reach Redis in the order in which they were made.
#[derive(Debug)]
pub(crate) struct Op {
    pub(crate) id: JobId,
    pub(crate) attempt: u32,
    pub(crate) action: Action,
    /// Told whether it was written. Dropped if it never will be.
    pub(crate) done: Option<oneshot::Sender<Written>>,
}

#[derive(Debug)]
pub(crate) enum Action {
    Emit(EventType, Box<RawValue>),
    End(Outcome),
}

/// Whether an operation was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is stored and announced.
    Yes,
    /// The attempt is not the current one any more.
    Stale,
}

impl Op {
    pub(crate) const fn ends(&self) -> bool {
        matches!(self.action, Action::End(_))
    }

    pub(crate) fn bytes(&self) -> usize {
        match &self.action {
            Action::Emit(_, value) | Action::End(Outcome::Complete(value)) => value.get().len(),
            Action::End(_) => 0,
        }
    }

    pub(crate) const fn fail(id: JobId, attempt: u32, failure: Failure) -> Self {
        Self {
            id,
            attempt,
            action: Action::End(Outcome::Fail(failure)),
            done: None,
        }
    }

    pub(crate) const fn hand_back(id: JobId, attempt: u32) -> Self {
        Self {
            id,
            attempt,
            action: Action::End(Outcome::HandBack),
            done: None,
        }
    }
}

/// Why a handler could not publish an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The data is over [`MAX_EVENT_DATA_BYTES`].
    #[error("the event has {0} bytes, at most {MAX_EVENT_DATA_BYTES} are taken")]
    TooLarge(usize),
    /// The attempt is over: another worker has the job, or this one is stopping.
    #[error("the attempt is over")]
    Over,
}

/// A worker's hold on one attempt of one job. apalis carries it in the task's data.
#[derive(Clone, Debug)]
pub struct JobHandle {
    id: JobId,
    attempt: u32,
    max_attempts: u32,
    ops: mpsc::Sender<Op>,
    cancelled: CancellationToken,
}

impl JobHandle {
    pub(crate) const fn new(
        id: JobId,
        attempt: u32,
        max_attempts: u32,
        ops: mpsc::Sender<Op>,
        cancelled: CancellationToken,
    ) -> Self {
        Self {
            id,
            attempt,
            max_attempts,
            ops,
            cancelled,
        }
    }

    /// The job.
    pub const fn id(&self) -> JobId {
        self.id
    }

    /// The number of this attempt, which is also the fence.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How often the job may be tried.
    pub const fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// Cancelled when the attempt should end: its lease is lost, or the worker must stop now.
    pub const fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Publishes an event of the job. Waits while too much is on its way to Redis.
    pub async fn emit(&self, event: EventType, data: Box<RawValue>) -> Result<(), EmitError> {
        if data.get().len() > MAX_EVENT_DATA_BYTES {
            return Err(EmitError::TooLarge(data.get().len()));
        }
        if self.cancelled.is_cancelled() {
            return Err(EmitError::Over);
        }
        let action = Action::Emit(event, data);
        let op = Op {
            id: self.id,
            attempt: self.attempt,
            action,
            done: None,
        };
        self.ops.send(op).await.map_err(|_| EmitError::Over)
    }

    /// Ends the attempt. Returns when Redis has it; `None` if it never will.
    pub(crate) async fn end(&self, outcome: Outcome) -> Option<Written> {
        let (done, written) = oneshot::channel();
        let action = Action::End(outcome);
        let op = Op {
            id: self.id,
            attempt: self.attempt,
            action,
            done: Some(done),
        };
        self.ops.send(op).await.ok()?;
        written.await.ok()
    }
}
