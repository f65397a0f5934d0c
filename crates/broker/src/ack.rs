//! The outermost layer of a worker: turns what the handler returned, a timeout or a panic into the job's outcome,
//! and does not return before Redis has it, so that a graceful stop loses nothing.

use std::task::{Context, Poll};

use apalis_core::{error::BoxDynError, task::Task};
use futures_util::future::BoxFuture;
use protocol::Job;
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};
use tracing::{debug, error, warn};

use crate::{JobHandle, Output, handle::Written, outcome::Outcome};

/// Hung outside all other layers by the backend itself.
#[derive(Clone, Debug)]
pub struct AckLayer {
    hard: CancellationToken,
}

impl AckLayer {
    /// Attempts that still run when `hard` is cancelled are handed back.
    pub(crate) const fn new(hard: CancellationToken) -> Self {
        Self { hard }
    }
}

impl<S> Layer<S> for AckLayer {
    type Service = AckService<S>;

    fn layer(&self, inner: S) -> AckService<S> {
        AckService {
            inner,
            hard: self.hard.clone(),
        }
    }
}

/// See [`AckLayer`].
#[derive(Clone, Debug)]
pub struct AckService<S> {
    inner: S,
    hard: CancellationToken,
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

    fn call(&mut self, task: Task<Job>) -> Self::Future {
        let handle = task.data().get::<JobHandle>().cloned();
        let attempt = self.inner.call(task);
        let hard = self.hard.clone();
        Box::pin(async move {
            let handle = handle.ok_or("the task does not come from this backend")?;
            let outcome = tokio::select! {
                result = attempt => match result {
                    // A handler that fails because it is told to stop has not failed: the same token told both.
                    Err(_) if hard.is_cancelled() => Outcome::HandBack,
                    result => Outcome::of(result.map_err(Into::into), handle.attempt()),
                },
                () = hard.cancelled() => Outcome::HandBack,
            };
            debug!(job = %handle.id(), attempt = handle.attempt(), ?outcome, "attempt ended");
            match handle.end(outcome).await {
                Some(Written::Yes) => {}
                Some(Written::Stale) => {
                    warn!(job = %handle.id(), attempt = handle.attempt(), "late result refused: the job has moved on");
                }
                None => {
                    error!(job = %handle.id(), attempt = handle.attempt(), "result not written: the job will run again");
                }
            }
            Ok(())
        })
    }
}
