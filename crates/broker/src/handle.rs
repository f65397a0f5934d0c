//! A worker's hold on one attempt of one job: through it the handler speaks, and through it the attempt ends.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use protocol::{EventType, Failure, JobId, RetryPolicy, limits::MAX_EVENT_DATA_BYTES};
use rand::RngExt as _;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{given::Given, outcome::Outcome, taken::Part};

/// What is written about an attempt. Operations of one attempt reach Redis in the order in which they were made.
#[derive(Debug)]
pub(crate) struct Op {
    pub(crate) id: JobId,
    pub(crate) attempt: u32,
    pub(crate) action: Action,
    /// The job as it was claimed, if that may be a shorter way to its end.
    pub(crate) given: Option<Arc<Given>>,
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

    /// The parcel that its job was taken with.
    pub(crate) fn part(&self) -> Option<&Part> {
        self.given.as_ref()?.part.as_ref()
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
            given: None,
            done: None,
        }
    }

    pub(crate) const fn hand_back(id: JobId, attempt: u32) -> Self {
        Self {
            id,
            attempt,
            action: Action::End(Outcome::HandBack),
            given: None,
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

/// Why an attempt should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// Its cancellation was asked for.
    Cancelled,
    /// It took longer than it may.
    Timeout,
    /// Its lease was lost: another worker has the job, or will have it.
    LeaseLost,
    /// The worker must stop now.
    Stopping,
}

/// What is fixed about an attempt from its claim on, and whether it should end.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) id: JobId,
    pub(crate) number: u32,
    /// How many attempts count against `max_attempts`, this one included.
    pub(crate) spent: u32,
    pub(crate) max_attempts: u32,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeout: Option<Duration>,
    /// Until when its lease is renewed, from its start on: a handler that blocks its thread can't be ended, but it can
    /// be given up. One that was taken ahead and waits is renewed without end.
    pub(crate) renew_until: OnceLock<Instant>,
    /// How long beyond its time its lease is renewed.
    pub(crate) slack: Duration,
    /// The job as it was when it was claimed.
    pub(crate) given: Option<Arc<Given>>,
    /// From when to when the job waited, if this is its first attempt: in milliseconds, by Redis' clock.
    pub(crate) wait: Option<(u64, u64)>,
    pub(crate) cancelled: CancellationToken,
    pub(crate) why: OnceLock<StopReason>,
}

impl Attempt {
    /// Tells the handler that the attempt should end; says whether that is news.
    pub(crate) fn stop(&self, why: StopReason) -> bool {
        let news = !self.cancelled.is_cancelled() && self.why.set(why).is_ok();
        self.cancelled.cancel();
        news
    }

    /// Its time begins.
    pub(crate) fn start(&self) {
        let until = self
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout + self.slack));
        if let Some(until) = until {
            // An attempt is started once.
            let _ = self.renew_until.set(until);
        }
    }

    /// Why the attempt should end, if it should.
    pub(crate) fn stopped(&self) -> Option<StopReason> {
        // Nobody gives a reason for the worker's own stop: the token is a child of the process' own.
        self.cancelled
            .is_cancelled()
            .then(|| self.why.get().copied().unwrap_or(StopReason::Stopping))
    }

    /// The pause before another attempt, by the job's own policy.
    pub(crate) fn pause(&self) -> Duration {
        Duration::from_millis(self.retry.delay_ms(self.spent, rand::rng().random()))
    }
}

/// A worker's hold on one attempt of one job. apalis carries it in the task's data.
#[derive(Clone, Debug)]
pub struct JobHandle {
    attempt: Arc<Attempt>,
    ops: mpsc::Sender<Op>,
}

impl JobHandle {
    pub(crate) const fn new(attempt: Arc<Attempt>, ops: mpsc::Sender<Op>) -> Self {
        Self { attempt, ops }
    }

    /// The job.
    pub fn id(&self) -> JobId {
        self.attempt.id
    }

    /// The number of this attempt, which is also the fence.
    pub fn attempt(&self) -> u32 {
        self.attempt.number
    }

    /// How many attempts are spent, this one included: those that were handed back are not.
    pub fn spent(&self) -> u32 {
        self.attempt.spent
    }

    /// How often the job may be tried.
    pub fn max_attempts(&self) -> u32 {
        self.attempt.max_attempts
    }

    /// How long this attempt may take, if there is a limit.
    pub fn timeout(&self) -> Option<Duration> {
        self.attempt.timeout
    }

    /// How long the job waited since it came in, or was due, if this is its first attempt.
    pub fn waited(&self) -> Option<Duration> {
        let (from, to) = self.attempt.wait?;
        Some(Duration::from_millis(to.saturating_sub(from)))
    }

    /// Cancelled when the attempt should end; [`Self::stopped`] says why.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.attempt.cancelled
    }

    /// Why the attempt should end, if it should.
    pub fn stopped(&self) -> Option<StopReason> {
        self.attempt.stopped()
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> Arc<Attempt> {
        Arc::clone(&self.attempt)
    }

    pub(crate) fn fixed(&self) -> &Attempt {
        &self.attempt
    }

    /// Publishes an event of the job. Waits while too much is on its way to Redis.
    pub async fn emit(&self, event: EventType, data: Box<RawValue>) -> Result<(), EmitError> {
        if data.get().len() > MAX_EVENT_DATA_BYTES {
            return Err(EmitError::TooLarge(data.get().len()));
        }
        if self.attempt.cancelled.is_cancelled() {
            return Err(EmitError::Over);
        }
        let given = self.attempt.given.clone();
        if let Some(given) = &given {
            given.count(self.id(), event, &data);
        }
        let op = Op {
            id: self.id(),
            attempt: self.attempt(),
            action: Action::Emit(event, data),
            given,
            done: None,
        };
        self.ops.send(op).await.map_err(|_| EmitError::Over)
    }

    /// Ends the attempt. Returns when Redis has it; `None` if it never will.
    pub(crate) async fn end(&self, outcome: Outcome) -> Option<Written> {
        let (done, written) = oneshot::channel();
        let action = Action::End(outcome);
        let op = Op {
            id: self.id(),
            attempt: self.attempt(),
            action,
            given: self.attempt.given.clone(),
            done: Some(done),
        };
        self.ops.send(op).await.ok()?;
        written.await.ok()
    }
}
