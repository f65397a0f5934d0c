//! Which handler runs which kind of job, and what they share.

use std::{collections::BTreeMap, fmt, sync::Arc};

use protocol::Kind;
use tower::{BoxError, Layer, Service};

use crate::{Attempt, Dispatch, Handler, JobFn, Next, Output, Route, dispatch::Routes, next::wrap};

/// Handlers by kind, with the state `S` that they share and the layers around them all. Clones share the handlers.
#[derive(Clone)]
pub struct Registry<S = ()> {
    state: S,
    routes: Routes,
    layers: Vec<Arc<dyn Fn(Next) -> Next + Send + Sync>>,
}

impl Registry {
    /// A registry without handlers, whose handlers share nothing.
    pub fn new() -> Self {
        Self::with_state(())
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + Send + Sync + 'static> Registry<S> {
    /// A registry without handlers. Those that are added get a clone of the state as [`State`](crate::State).
    pub fn with_state(state: S) -> Self {
        Self {
            state,
            routes: BTreeMap::new(),
            layers: Vec::new(),
        }
    }

    /// Adds a typed async function as the handler of a kind, in place of an earlier one. See [`JobFn`].
    ///
    /// A payload that is not of the function's type fails the job at once: another attempt would find the same
    /// payload.
    #[must_use]
    pub fn register<F, Args>(self, kind: Kind, function: F) -> Self
    where
        F: JobFn<S, Args>,
        Args: 'static,
    {
        self.route(kind, Route::new(function))
    }

    /// Like [`Registry::register`], and a payload must fit the JSON Schema of its type. See [`Route::validated`].
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn register_validated<F, Args>(self, kind: Kind, function: F) -> Self
    where
        F: JobFn<S, Args>,
        F::Payload: schemars::JsonSchema,
        Args: 'static,
    {
        self.route(kind, Route::validated(function))
    }

    /// Adds a handler, in place of an earlier one of the same kind.
    #[must_use]
    pub fn with(self, kind: Kind, handler: impl Handler) -> Self {
        self.route(kind, Route::raw(handler))
    }

    /// Adds a handler with what is around it, in place of an earlier one of the same kind.
    #[must_use]
    pub fn route(mut self, kind: Kind, route: Route<S>) -> Self {
        let bound = route.bind(self.state.clone());
        self.routes.insert(kind, bound);
        self
    }

    /// Puts a tower layer around all handlers together, those that are added later and those of unknown kinds
    /// included: a limit of four jobs means four jobs of all kinds. The last layer is the outermost.
    ///
    /// What is said at [`Route::layer`] holds here too. A layer is asked for its service once per worker.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Next> + Send + Sync + 'static,
        L::Service: Service<Attempt, Response = Output> + Clone + Send + Sync + 'static,
        <L::Service as Service<Attempt>>::Error: Into<BoxError>,
        <L::Service as Service<Attempt>>::Future: Send + 'static,
    {
        self.layers.push(Arc::new(move |next| wrap(&layer, next)));
        self
    }

    /// The kinds that have a handler, sorted.
    pub fn kinds(&self) -> Vec<&Kind> {
        self.routes.keys().collect()
    }

    /// The JSON Schemas of the payloads that are checked, by kind. Kinds without a check are absent.
    #[cfg(feature = "schema")]
    pub fn schemas(&self) -> BTreeMap<&Kind, &serde_json::Value> {
        crate::dispatch::schemas(&self.routes)
    }

    /// Puts the layers around the handlers. [`App::build`](crate::App::build) does it for you; this is for who
    /// builds an apalis worker by hand.
    pub fn into_service(self) -> Dispatch {
        Dispatch::new(self.routes, &self.layers)
    }
}

impl<S> fmt::Debug for Registry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry")
            .field(&self.routes.keys())
            .finish()
    }
}
