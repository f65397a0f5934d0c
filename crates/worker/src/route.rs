//! How jobs of one kind are run: a handler, what its payload must look like, and the layers around it.

use std::fmt;

use tower::{BoxError, Layer, Service};

use crate::{
    Attempt, Handler, JobFn, Next, Output,
    job_fn::Typed,
    next::{innermost, wrap},
};

/// A handler with layers of its own, for [`Registry::route`](crate::Registry::route).
///
/// ```
/// use std::time::Duration;
///
/// use tower::timeout::TimeoutLayer;
/// use worker::{JobError, Registry, Route};
///
/// async fn fetch(url: String) -> Result<u64, JobError> {
///     # let _ = url;
///     // ...
///     Ok(200)
/// }
///
/// let fetch = Route::new(fetch).layer(TimeoutLayer::new(Duration::from_secs(30)));
/// let registry = Registry::new().route("fetch".parse().unwrap(), fetch);
/// ```
pub struct Route<S = ()> {
    make: Box<dyn FnOnce(S) -> Next + Send>,
    #[cfg(feature = "schema")]
    schema: Option<serde_json::Value>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// Jobs are run by an async function, see [`JobFn`].
    ///
    /// A payload that can't be decoded fails the job for good, with
    /// [`FailureCode::Undecodable`](protocol::FailureCode::Undecodable).
    pub fn new<F, Args>(function: F) -> Self
    where
        F: JobFn<S, Args>,
        Args: 'static,
    {
        Self::made(|state| innermost(Typed::new(function, state)))
    }

    /// Jobs are run by a handler that takes the payload as it is.
    pub fn raw(handler: impl Handler) -> Self {
        Self::made(|_| innermost(handler))
    }

    /// Like [`Route::new`], and a payload is checked against the JSON Schema of its type before it is decoded.
    ///
    /// So `#[schemars(range(…), length(…), regex(…))]` and the like hold. What breaks them fails the job for good,
    /// with [`FailureCode::Undecodable`](protocol::FailureCode::Undecodable) and a message with the JSON pointer of
    /// each wrong place, without the values there.
    ///
    /// # Panics
    ///
    /// If the type makes a schema that can't be used, say one with a pattern that is no regular expression: that is
    /// a mistake in the program, which shows at its start.
    #[cfg(feature = "schema")]
    pub fn validated<F, Args>(function: F) -> Self
    where
        F: JobFn<S, Args>,
        F::Payload: schemars::JsonSchema,
        Args: 'static,
    {
        let schema = crate::schema::Schema::of::<F::Payload>();
        let document = schema.document().clone();
        let route = Self::made(move |state| innermost(schema.before(Typed::new(function, state))));
        Self {
            schema: Some(document),
            ..route
        }
    }

    fn made(make: impl FnOnce(S) -> Next + Send + 'static) -> Self {
        Self {
            make: Box::new(make),
            #[cfg(feature = "schema")]
            schema: None,
        }
    }

    /// Puts a tower layer around the handler. The last one is the outermost.
    ///
    /// A layer's service takes an [`Attempt`] and returns an [`Output`]. It is cloned for each attempt, so what it
    /// limits must be shared between clones, as it is with tower's `ConcurrencyLimit`; put a `BufferLayer` around
    /// a service that is not `Clone`. While it is not ready the attempt waits, and holds one of the worker's places.
    ///
    /// An error that is no [`JobError`](crate::JobError), nor caused by one, is a failure after which the job is
    /// tried again.
    #[must_use]
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<Next> + Send + 'static,
        L::Service: Service<Attempt, Response = Output> + Clone + Send + Sync + 'static,
        <L::Service as Service<Attempt>>::Error: Into<BoxError>,
        <L::Service as Service<Attempt>>::Future: Send + 'static,
    {
        let make = self.make;
        Self {
            make: Box::new(move |state| wrap(&layer, make(state))),
            #[cfg(feature = "schema")]
            schema: self.schema,
        }
    }

    pub(crate) fn bind(self, state: S) -> Bound {
        Bound {
            next: (self.make)(state),
            #[cfg(feature = "schema")]
            schema: self.schema,
        }
    }
}

impl<S> fmt::Debug for Route<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").finish_non_exhaustive()
    }
}

/// A route that has its state.
#[derive(Clone)]
pub(crate) struct Bound {
    pub(crate) next: Next,
    #[cfg(feature = "schema")]
    pub(crate) schema: Option<serde_json::Value>,
}
