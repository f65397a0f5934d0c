//! The service at the core of the apalis worker: brings each job through the layers to the handler of its kind.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    future::Future,
    sync::Arc,
    task::{Context, Poll},
};

use apalis_core::task::Task;
use broker::{AttemptSpan, JobError, JobHandle, Output};
use futures_util::future::BoxFuture;
use protocol::{FailureCode, Job, Kind};
use tower::{BoxError, Service, ServiceExt as _};
use tracing::Instrument as _;

use crate::{Attempt, JobContext, Next, route::Bound};

/// Routes by kind.
pub(crate) type Routes = BTreeMap<Kind, Bound>;

/// A [`Registry`](crate::Registry) that is ready to run jobs. Clones share everything.
#[derive(Clone)]
pub struct Dispatch {
    routes: Arc<Routes>,
    outermost: Next,
}

impl Dispatch {
    pub(crate) fn new(routes: Routes, layers: &[Arc<dyn Fn(Next) -> Next + Send + Sync>]) -> Self {
        let routes = Arc::new(routes);
        let finder = Next::new(Finder(Arc::clone(&routes)));
        Self {
            routes,
            outermost: layers.iter().fold(finder, |next, layer| layer(next)),
        }
    }

    /// The kinds that have a handler, sorted.
    pub fn kinds(&self) -> Vec<&Kind> {
        self.routes.keys().collect()
    }

    /// The JSON Schemas of the payloads that are checked, by kind. Kinds without a check are absent.
    #[cfg(feature = "schema")]
    pub fn schemas(&self) -> BTreeMap<&Kind, &serde_json::Value> {
        schemas(&self.routes)
    }

    /// Runs one attempt. The error is a [`JobError`] where a handler or a layer made one.
    pub(crate) fn attempt(
        &self,
        handle: JobHandle,
        job: Job,
    ) -> impl Future<Output = Result<Output, BoxError>> + Send + use<> {
        let context = JobContext::new(handle, job.kind, job.options.tenant);
        let attempt = Attempt {
            context,
            payload: job.payload,
        };
        let outermost = self.outermost.clone();
        async move { outermost.oneshot(attempt).await.map_err(unwrapped) }
    }
}

/// The schemas of the routes that have one.
#[cfg(feature = "schema")]
pub(crate) fn schemas(routes: &Routes) -> BTreeMap<&Kind, &serde_json::Value> {
    let schemas = routes.iter();
    schemas
        .filter_map(|(kind, bound)| Some((kind, bound.schema.as_ref()?)))
        .collect()
}

/// The handler's own error where a layer has wrapped it: only a [`JobError`] says whether to try again.
fn unwrapped(error: BoxError) -> BoxError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&*error);
    while let Some(current) = cause {
        if let Some(own) = current.downcast_ref::<JobError>() {
            return own.clone().into();
        }
        cause = current.source();
    }
    error
}

impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dispatch").field(&self.kinds()).finish()
    }
}

impl Service<Task<Job>> for Dispatch {
    type Response = Output;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Output, BoxError>>;

    /// Always ready: which layers a job goes through is known only once its kind is.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Job>) -> Self::Future {
        let span = task.data().get::<AttemptSpan>().cloned();
        match task.data().get::<JobHandle>().cloned() {
            Some(handle) => {
                let attempt = self.attempt(handle, task.args);
                // The current span of all layers and the handler.
                match span {
                    Some(AttemptSpan(span)) => Box::pin(attempt.instrument(span)),
                    None => Box::pin(attempt),
                }
            }
            None => Box::pin(async {
                let message = "the job does not come from the queue";
                Err(JobError::fatal(FailureCode::Error, message).into())
            }),
        }
    }
}

/// What is inside all common layers: finds the route of an attempt.
#[derive(Clone)]
struct Finder(Arc<Routes>);

impl Service<Attempt> for Finder {
    type Response = Output;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Output, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, attempt: Attempt) -> Self::Future {
        match self.0.get(attempt.context.kind()) {
            Some(route) => Box::pin(route.next.clone().oneshot(attempt)),
            None => Box::pin(async move {
                let message = format!("no handler for `{}`", attempt.context.kind());
                Err(JobError::fatal(FailureCode::UnknownKind, message).into())
            }),
        }
    }
}
