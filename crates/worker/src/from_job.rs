//! What a handler may ask for besides its payload.

use crate::{JobContext, JobError};

/// A parameter of a handler that is made from the job and the registry's state, before the handler runs.
///
/// [`JobContext`] and [`State`](crate::State) are such parameters. Implement it for what your handlers would
/// otherwise all make at their start:
///
/// ```
/// use worker::{FromJob, JobContext, JobError};
///
/// #[derive(Clone)]
/// struct Shared {
///     region: &'static str,
/// }
///
/// /// Where the files of the job's owner are.
/// struct Bucket(String);
///
/// impl FromJob<Shared> for Bucket {
///     fn from_job(context: &JobContext, shared: &Shared) -> Result<Self, JobError> {
///         Ok(Self(format!("{}/{}", shared.region, context.tenant())))
///     }
/// }
///
/// async fn sweep(bucket: Bucket, older_than_days: u32) -> Result<String, JobError> {
///     Ok(format!("{} days in {}", older_than_days, bucket.0))
/// }
/// # worker::Registry::with_state(Shared { region: "eu" }).register("sweep".parse().unwrap(), sweep);
/// ```
pub trait FromJob<S>: Sized {
    /// Makes it. An error ends the attempt as if the handler had returned it.
    fn from_job(context: &JobContext, state: &S) -> Result<Self, JobError>;
}

impl<S> FromJob<S> for JobContext {
    fn from_job(context: &JobContext, _: &S) -> Result<Self, JobError> {
        Ok(context.clone())
    }
}
