//! Which handler runs which kind of job. It is the service at the core of the apalis worker.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};

use apalis_core::task::Task;
use broker::{JobError, JobHandle, Output};
use futures_util::future::BoxFuture;
use protocol::{FailureCode, Job, Kind};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use tower::Service;

use crate::{Handler, JobContext};

/// Handlers by kind. Clones share them.
#[derive(Clone, Default)]
pub struct Registry {
    handlers: Arc<HashMap<Kind, Arc<dyn Handler>>>,
}

impl Registry {
    /// A registry without handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a typed async function as the handler of a kind, in place of an earlier one.
    ///
    /// A payload that is not a `T` fails the job at once: another attempt would find the same payload.
    #[must_use]
    pub fn register<T, R, F, Fut>(self, kind: Kind, function: F) -> Self
    where
        T: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
        F: Fn(JobContext, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, JobError>> + Send + 'static,
    {
        self.with(
            kind,
            Typed {
                function: Arc::new(function),
                payload: PhantomData,
            },
        )
    }

    /// Adds a handler, in place of an earlier one of the same kind.
    #[must_use]
    pub fn with(mut self, kind: Kind, handler: impl Handler) -> Self {
        Arc::make_mut(&mut self.handlers).insert(kind, Arc::new(handler));
        self
    }

    /// The kinds that have a handler, sorted.
    pub fn kinds(&self) -> Vec<&Kind> {
        let mut kinds: Vec<_> = self.handlers.keys().collect();
        kinds.sort_unstable();
        kinds
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.kinds()).finish()
    }
}

impl Service<Task<Job>> for Registry {
    type Response = Output;
    type Error = JobError;
    type Future = BoxFuture<'static, Result<Output, JobError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), JobError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Job>) -> Self::Future {
        let handle = task.data().get::<JobHandle>().cloned();
        let Job {
            kind,
            payload,
            options,
        } = task.args;
        let Some(handle) = handle else {
            let error = JobError::fatal(FailureCode::Error, "the job does not come from the queue");
            return Box::pin(async move { Err(error) });
        };
        match self.handlers.get(&kind) {
            Some(handler) => handler.run(JobContext::new(handle, kind, options.tenant), payload),
            None => Box::pin(async move {
                Err(JobError::fatal(
                    FailureCode::UnknownKind,
                    format!("no handler for `{kind}`"),
                ))
            }),
        }
    }
}

struct Typed<T, F> {
    function: Arc<F>,
    payload: PhantomData<fn(T)>,
}

impl<T, R, F, Fut> Handler for Typed<T, F>
where
    T: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
    F: Fn(JobContext, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, JobError>> + Send + 'static,
{
    fn run(
        &self,
        context: JobContext,
        payload: Box<RawValue>,
    ) -> BoxFuture<'static, Result<Output, JobError>> {
        let function = Arc::clone(&self.function);
        Box::pin(async move {
            let payload = serde_json::from_str(payload.get())
                .map_err(|error| JobError::fatal(FailureCode::Undecodable, error.to_string()))?;
            let result = function(context, payload).await?;
            // Another attempt would make the same result.
            to_raw_value(&result).map(Output).map_err(|error| {
                JobError::fatal(
                    FailureCode::Error,
                    format!("the result is not JSON: {error}"),
                )
            })
        })
    }
}
