//! A job as it is stored: what an operator or its owner sees of it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Failure, JobId, JobState, Kind, Priority, QueueName, Tenant, Topic};

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
