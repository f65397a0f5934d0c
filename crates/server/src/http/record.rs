//! What the description says of a job's record, which is [`protocol::JobRecord`]: a test compares the two.

use utoipa::ToSchema;

use super::{
    new_job::{Retry, Trace},
    schema,
};

/// Everything that is known of one job. Times are by Redis' clock, in milliseconds since the Unix epoch.
#[derive(ToSchema)]
#[schema(as = Job)]
#[expect(dead_code, reason = "only described")]
pub(super) struct Record {
    /// Its id.
    #[schema(value_type = schema::Id)]
    id: String,
    /// The queue that it is in.
    #[schema(value_type = schema::Name)]
    queue: String,
    /// Which handler runs it.
    #[schema(value_type = schema::Name)]
    kind: String,
    /// Where it is in its life.
    #[schema(value_type = schema::State)]
    state: String,
    /// Who it belongs to.
    #[schema(value_type = schema::Name)]
    tenant: String,
    /// Where its events are published.
    #[schema(value_type = schema::Name)]
    topic: String,
    /// Which line it waits in.
    #[schema(value_type = schema::Priority)]
    priority: String,
    /// The number of its latest attempt; 0 before the first.
    attempt: u32,
    /// How many attempts do not count against `max_attempts`.
    handed_back: u32,
    /// How often it may be tried.
    max_attempts: u32,
    /// When it was accepted.
    created_at: u64,
    /// Not before when, for a delayed job.
    due_at: Option<u64>,
    /// When its latest attempt began.
    started_at: Option<u64>,
    /// When it ended.
    finished_at: Option<u64>,
    /// When it fails as expired unless an attempt has begun.
    expires_at: Option<u64>,
    /// How long one attempt may take, in milliseconds, if the job says so itself.
    timeout_ms: Option<u64>,
    /// The pause between attempts, if the job says so itself.
    retry: Option<Retry>,
    /// Its idempotency key.
    key: Option<String>,
    /// When its cancellation was asked for while it ran.
    cancel_at: Option<u64>,
    /// The offset in its channel's log after which its latest attempt's output comes.
    output_from: Option<u64>,
    /// Which trace it belongs to.
    trace: Option<Trace>,
    /// The worker that holds it, or held it last.
    worker: Option<String>,
    /// What it works on; not in a list.
    #[schema(required = false, value_type = Value)]
    payload: String,
    /// What it resulted in; not in a list.
    #[schema(required = false, value_type = Value)]
    result: String,
    /// What went wrong in its latest failed attempt.
    error: Option<Failure>,
}

/// What went wrong in an attempt.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(crate) struct Failure {
    /// The class of the failure, for programs.
    #[schema(value_type = schema::FailureCode)]
    code: String,
    /// What happened, for people.
    message: String,
}
