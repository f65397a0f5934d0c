//! What runs a job.

use broker::{JobError, Output};
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;

use crate::JobContext;

/// Runs the jobs of one kind, and takes their payloads as they are. [`Registry::register`](crate::Registry::register)
/// makes one of an async function; implement it for what decodes by itself.
///
/// A handler may run more than once for the same job, also at the same time if its worker lost its lease: only the
/// current attempt's result counts, but side effects are the handler's own care.
pub trait Handler: Send + Sync + 'static {
    /// Runs one attempt.
    fn run(
        &self,
        context: JobContext,
        payload: Box<RawValue>,
    ) -> BoxFuture<'static, Result<Output, JobError>>;
}
