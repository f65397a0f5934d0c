//! The outermost layer of a worker: turns what the handler returned, a timeout, a cancellation or a panic into the
//! job's outcome, and does not return before Redis has it, so that a graceful stop loses nothing.

use std::{
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::{error::BoxDynError, task::Task};
use futures_util::future::BoxFuture;
use protocol::{Failure, FailureCode, Job};
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};
use tracing::{Instrument as _, Span, debug, error, warn};

use crate::{
    JobHandle, Output, Spans, StopReason,
    handle::{Attempt, Written},
    outcome::Outcome,
    span,
};

/// Hung outside all other layers by the backend itself.
#[derive(Clone, Debug)]
pub struct AckLayer {
    hard: CancellationToken,
    grace: Duration,
    spans: Spans,
}

impl AckLayer {
    /// Attempts that still run when `hard` is cancelled are handed back. One that should end for another reason has
    /// the grace to do so, then it is abandoned.
    pub(crate) const fn new(hard: CancellationToken, grace: Duration, spans: Spans) -> Self {
        Self { hard, grace, spans }
    }
}

impl<S> Layer<S> for AckLayer {
    type Service = AckService<S>;

    fn layer(&self, inner: S) -> AckService<S> {
        AckService {
            inner,
            layer: self.clone(),
        }
    }
}

/// See [`AckLayer`].
#[derive(Clone, Debug)]
pub struct AckService<S> {
    inner: S,
    layer: AckLayer,
}

impl<S> Service<Task<Job>> for AckService<S>
where
    S: Service<Task<Job>, Response = Output>,
    S::Error: Into<BoxDynError>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<(), BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut task: Task<Job>) -> Self::Future {
        let AckLayer { hard, grace, spans } = self.layer.clone();
        let handle = task.data().get::<JobHandle>().cloned();
        let span = handle
            .as_ref()
            .map_or_else(Span::none, |handle| spans.begin(&mut task, handle));
        let attempt = self.inner.call(task);
        Box::pin(async move {
            let handle = handle.ok_or("the task does not come from this backend")?;
            let result = within(&handle, attempt, &hard, grace).await;
            let result = result.map(|result| result.map_err(Into::into));
            let outcome = outcome(handle.fixed(), result);
            span::end(&span, &handle, &outcome);
            let publishing = span::publish(&span);
            let written = settle(&handle, outcome)
                .instrument(publishing.clone())
                .await;
            span::published(&publishing, written);
            Ok(())
        })
    }
}

/// Writes what became of an attempt.
async fn settle(handle: &JobHandle, outcome: Outcome) -> Option<Written> {
    debug!(job = %handle.id(), attempt = handle.attempt(), ?outcome, "attempt ended");
    let written = handle.end(outcome).await;
    match written {
        Some(Written::Yes) => {}
        Some(Written::Stale) => {
            warn!(job = %handle.id(), attempt = handle.attempt(), "late result refused: the job has moved on");
        }
        None => {
            error!(job = %handle.id(), attempt = handle.attempt(), "result not written: the job will run again");
        }
    }
    written
}

/// Runs an attempt to its end; `None` when it was told to end and did not.
async fn within<T>(
    handle: &JobHandle,
    attempt: impl Future<Output = T>,
    hard: &CancellationToken,
    grace: Duration,
) -> Option<T> {
    handle.fixed().start();
    let mut attempt = pin!(attempt);
    let limit = async {
        match handle.timeout() {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    // What has ended counts, whatever else happened at the same time.
    tokio::select! {
        biased;
        result = &mut attempt => return Some(result),
        () = handle.cancelled().cancelled() => {}
        () = limit => drop(handle.fixed().stop(StopReason::Timeout)),
    }
    tokio::select! {
        biased;
        result = attempt => Some(result),
        () = hard.cancelled() => None,
        () = tokio::time::sleep(grace) => {
            warn!(job = %handle.id(), attempt = handle.attempt(), why = ?handle.stopped(), "attempt abandoned: it did not end in its grace");
            None
        }
    }
}

/// What became of the job. A result counts even if the attempt should have ended: the work is done.
pub(crate) fn outcome(attempt: &Attempt, result: Option<Result<Output, BoxDynError>>) -> Outcome {
    let pause = || attempt.pause();
    match (result, attempt.stopped()) {
        (Some(result), None) => Outcome::of(result, pause),
        (Some(Ok(output)), _) => Outcome::of(Ok(output), pause),
        (_, Some(StopReason::Cancelled)) => Outcome::Cancel,
        (_, Some(StopReason::Timeout)) => {
            let limit = attempt.timeout.unwrap_or_default();
            let message = format!("the attempt took longer than {} ms", limit.as_millis());
            Outcome::Retry(Failure::new(FailureCode::Timeout, message), pause())
        }
        // A handler that fails because it is told to stop has not failed. Where the lease is lost this is refused.
        _ => Outcome::HandBack,
    }
}
