//! The service that a layer wraps.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{TryFutureExt as _, future::BoxFuture};
use tower::{BoxError, Layer, Service, ServiceExt as _, util::BoxCloneSyncService};

use crate::{Attempt, Handler, Output};

/// What a layer wraps: everything between it and the handler.
///
/// Errors are boxed, since a layer has errors of its own. A [`JobError`](crate::JobError) inside the box says what
/// becomes of the job; any other error is a failure after which the job is tried again.
pub type Next = BoxCloneSyncService<Attempt, Output, BoxError>;

/// The innermost service.
pub(crate) fn innermost(handler: impl Handler) -> Next {
    Next::new(Innermost(Arc::new(handler)))
}

/// Puts a layer around a service.
pub(crate) fn wrap<L>(layer: &L, next: Next) -> Next
where
    L: Layer<Next>,
    L::Service: Service<Attempt, Response = Output> + Clone + Send + Sync + 'static,
    <L::Service as Service<Attempt>>::Error: Into<BoxError>,
    <L::Service as Service<Attempt>>::Future: Send + 'static,
{
    Next::new(layer.layer(next).map_err(Into::into))
}

struct Innermost<H>(Arc<H>);

impl<H> Clone for Innermost<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H: Handler> Service<Attempt> for Innermost<H> {
    type Response = Output;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Output, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, Attempt { context, payload }: Attempt) -> Self::Future {
        Box::pin(self.0.run(context, payload).map_err(Into::into))
    }
}
