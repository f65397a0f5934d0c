//! What a client is told of a job that it handed in, or wanted changed.

use broker::{Done, Receipt};
use protocol::{Durability, ErrorCode, Failure, JobId, JobState, QueueName, Topic};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Refused;
use crate::http::schema;

/// The proof that a job is stored, as a client gets it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// Its id. Not the one that was handed in, if another job has the same idempotency key.
    #[schema(value_type = schema::Id)]
    pub(crate) id: JobId,
    /// The queue that it is in.
    #[schema(value_type = schema::Name)]
    pub(crate) queue: QueueName,
    /// Where its events are published.
    pub(crate) channel: String,
    /// The incarnation of the channel's log.
    pub(crate) epoch: String,
    /// Where the log was: what comes of the job has a higher offset.
    pub(crate) offset: u64,
    /// Before its first event, as far as that is known.
    #[serde(skip)]
    pub(crate) begins: u64,
    /// Whether it was there already.
    pub(crate) duplicate: bool,
    /// What was made sure of.
    #[schema(value_type = schema::Durability)]
    pub(crate) durability: Durability,
    /// Of a duplicate: where it is in its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = schema::State)]
    pub(crate) state: Option<JobState>,
    /// Of a duplicate that completed: its result.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Value)]
    pub(crate) result: Option<Box<RawValue>>,
    /// Of a duplicate: what went wrong in its latest failed attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::http::Failure>)]
    pub(crate) error: Option<Failure>,
}

/// What became of a request to cancel or to run again.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Changed {
    /// The job.
    #[schema(value_type = schema::Id)]
    pub(crate) id: JobId,
    /// `done`, or `requested` where a worker has to be told first.
    #[schema(value_type = schema::Outcome)]
    pub(crate) outcome: &'static str,
}

/// `told`: whether a new job's log begins with its being queued.
pub(super) fn accepted(queue: QueueName, topic: Topic, told: bool, receipt: Receipt) -> Accepted {
    // One that was there under another id has its own topic.
    let topic = match Topic::new(receipt.id.to_string()) {
        Ok(own) if receipt.duplicate && topic.as_str().parse::<JobId>().is_ok() => own,
        _ => topic,
    };
    // A log of its own is all about it; in others, being queued is the last that happened.
    let begins = match topic.as_str().parse::<JobId>() {
        Ok(_) => 0,
        Err(_) => receipt.offset - u64::from(told && !receipt.duplicate),
    };
    Accepted {
        id: receipt.id,
        begins,
        channel: format!("{queue}:{topic}"),
        queue,
        epoch: receipt.epoch,
        offset: receipt.offset,
        duplicate: receipt.duplicate,
        durability: receipt.durability,
        state: receipt.state,
        result: receipt.result,
        error: receipt.error,
    }
}

pub(super) fn changed(id: JobId, done: Option<&Done>, verb: &str) -> Result<Changed, Refused> {
    match done {
        Some(Done::Yes) => Ok(Changed {
            id,
            outcome: "done",
        }),
        Some(Done::Requested) => Ok(Changed {
            id,
            outcome: "requested",
        }),
        Some(Done::Conflict(state)) => Err(Refused::Job(
            ErrorCode::Conflict,
            format!("a job that is {state} can't be {verb}"),
        )),
        _ => Err(Refused::not_found()),
    }
}
