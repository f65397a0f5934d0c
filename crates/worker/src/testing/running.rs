//! An attempt under way.

use broker::{Detached, Output, StopReason};
use protocol::EventType;
use serde_json::{Value, value::RawValue};
use tokio_util::sync::CancellationToken;
use tower::BoxError;

use crate::abort::AbortOnDrop;

use super::{Outcome, Ran};

type Attempt = AbortOnDrop<Result<Output, BoxError>>;

/// An attempt that runs on a task of its own. Dropped, it is aborted at its next await, as a worker does when it must
/// stop at once.
///
/// As on a queue, a handler waits while 64 of its events are not received.
#[derive(Debug)]
pub struct Running {
    task: Attempt,
    result: Option<Result<Output, BoxError>>,
    events: Detached,
    seen: Vec<(EventType, Value)>,
}

impl Running {
    pub(super) const fn new(task: Attempt, events: Detached) -> Self {
        Self {
            task,
            result: None,
            events,
            seen: Vec::new(),
        }
    }

    /// What the handler sees as [`JobContext::cancelled`](crate::JobContext::cancelled).
    pub fn token(&self) -> &CancellationToken {
        self.events.cancelled()
    }

    /// Tells the handler to end, as if somebody had cancelled the job. From here on it can't emit anything. A result
    /// counts all the same; a failure makes the job cancelled.
    pub fn cancel(&self) {
        self.stop(StopReason::Cancelled);
    }

    /// Tells the handler to end, for a reason.
    pub fn stop(&self, why: StopReason) {
        self.events.stop(why);
    }

    /// Waits for the next event. `None` when there will be no more.
    pub async fn event(&mut self) -> Option<(EventType, Value)> {
        let mut event = None;
        if self.result.is_none() {
            tokio::select! {
                biased;
                next = self.events.recv() => event = next,
                result = &mut self.task => self.result = Some(joined(result)),
            }
        }
        let (kind, data) = event.or_else(|| self.events.try_recv())?;
        let event = (kind, value(&data));
        self.seen.push(event.clone());
        Some(event)
    }

    /// Waits for the end. The events are all that were emitted, those that were waited for included.
    pub async fn finish(mut self) -> Ran {
        while self.event().await.is_some() {}
        let result = match self.result.take() {
            Some(result) => result,
            None => joined((&mut self.task).await),
        };
        Ran {
            outcome: Outcome::of(self.events.settle(result)),
            events: self.seen,
        }
    }
}

/// Panics are caught inside the task, and only its owner aborts it.
fn joined(
    result: Result<Result<Output, BoxError>, tokio::task::JoinError>,
) -> Result<Output, BoxError> {
    result.expect("the runtime lives as long as the test")
}

pub(super) fn value(data: &RawValue) -> Value {
    serde_json::from_str(data.get()).expect("raw JSON is JSON")
}
