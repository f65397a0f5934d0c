//! What all handlers of a registry share.

use std::ops::{Deref, DerefMut};

use crate::{FromJob, JobContext, JobError};

/// The state that was given to [`Registry::with_state`](crate::Registry::with_state), as a parameter of a handler.
///
/// Every attempt gets a clone, so what is large or must be shared belongs into an [`Arc`](std::sync::Arc). The
/// compiler refuses a handler that asks for another state than its registry has:
///
/// ```compile_fail,E0277
/// # use worker::{JobError, Registry, State};
/// async fn greet(State(greeting): State<String>, name: String) -> Result<String, JobError> {
///     Ok(format!("{greeting} {name}"))
/// }
///
/// let registry = Registry::with_state(7).register("greet".parse().unwrap(), greet);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State<S>(pub S);

impl<S> Deref for State<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S> DerefMut for State<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.0
    }
}

impl<S: Clone> FromJob<S> for State<S> {
    fn from_job(_: &JobContext, state: &S) -> Result<Self, JobError> {
        Ok(Self(state.clone()))
    }
}
