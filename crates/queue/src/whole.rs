//! A job as operators get it: also where in the worker's program it failed, which clients are not told.

use protocol::{Failure, JobRecord};
use serde::Serialize;

/// All that is known of a job.
#[derive(Serialize)]
pub(crate) struct Whole {
    #[serde(flatten)]
    job: JobRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<WithPlace>,
}

/// What went wrong, and where.
#[derive(Serialize)]
struct WithPlace {
    #[serde(flatten)]
    error: Failure,
    #[serde(skip_serializing_if = "Option::is_none")]
    backtrace: Option<String>,
}

impl From<JobRecord> for Whole {
    fn from(mut job: JobRecord) -> Self {
        let error = job.error.take().map(|mut error| WithPlace {
            backtrace: error.backtrace.take(),
            error,
        });
        Self { job, error }
    }
}
