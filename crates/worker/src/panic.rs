//! Turns a handler's panic into the failure of its attempt, so that it never stops the worker.

use std::any::Any;

use broker::JobError;
use protocol::FailureCode;

/// What a panic makes of an attempt: it failed, and may be tried again.
#[allow(
    clippy::borrowed_box,
    reason = "apalis' layer passes a reference to the box"
)]
pub(crate) fn on_panic(panic: &Box<dyn Any + Send>) -> JobError {
    let message = if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "the handler panicked with something that is no text".to_owned()
    };
    JobError::with_code(FailureCode::Panic, message)
}
