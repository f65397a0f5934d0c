//! A job as it is stored: what an operator or its owner sees of it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    Failure, IdempotencyKey, JobId, JobState, Kind, Priority, QueueName, RetryPolicy, Tenant,
    Topic, TraceContext,
};

/// Everything that is known of one job. Times are by Redis' clock, in milliseconds since the Unix epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// The queue that it is in.
    pub queue: QueueName,
    /// Which handler runs it.
    pub kind: Kind,
    /// Where it is in its life.
    pub state: JobState,
    /// Who it belongs to.
    pub tenant: Tenant,
    /// Where its events are published.
    pub topic: Topic,
    /// Which line it waits in.
    pub priority: Priority,
    /// The number of its latest attempt, which is also the fence; 0 before the first.
    pub attempt: u32,
    /// How many attempts do not count against `max_attempts`: those that a stopping worker handed back, and those
    /// made before an operator ran the job again.
    pub handed_back: u32,
    /// How often it may be tried.
    pub max_attempts: u32,
    /// When it was accepted.
    pub created_at: u64,
    /// Not before when, for a delayed job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<u64>,
    /// When its latest attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<u64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<u64>,
    /// When it fails as expired unless an attempt has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// How long one attempt may take, in milliseconds, if the job says so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long it rests between attempts, if the job says so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// What makes handing it in again safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
    /// When its cancellation was asked for while it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_at: Option<u64>,
    /// The offset in its channel's log after which its latest attempt's output comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_from: Option<u64>,
    /// Which trace it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceContext>,
    /// The worker that holds it, or held it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// What it works on; absent only in a job that was damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<RawValue>>,
    /// What it resulted in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// What went wrong in its latest failed attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}
