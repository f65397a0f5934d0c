//! What an operator may do to a job.

use protocol::{JobId, JobState, QueueName};

use crate::{
    Error, Keys, QueueArgs, Redis,
    script::{self, RETRY},
};

/// What became of a request to run a job again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOutcome {
    /// It waits again, with all its attempts.
    Queued,
    /// There is no such job.
    NotFound,
    /// It has not failed and was not cancelled.
    Conflict(JobState),
}

/// Changes jobs on an operator's behalf.
#[derive(Clone)]
pub struct Control {
    redis: Redis,
    args: QueueArgs,
}

impl Control {
    /// Control over everything under the connection's prefix.
    pub const fn new(redis: Redis, args: QueueArgs) -> Self {
        Self { redis, args }
    }

    /// Puts a failed or cancelled job in line again.
    pub async fn retry(&self, queue: &QueueName, id: JobId) -> Result<RetryOutcome, Error> {
        let keys = Keys::new(self.redis.prefix(), queue.clone());
        let mut call = script::invoke(&RETRY, &keys, &self.args);
        call.arg(id.to_string());
        let answer: String = self.redis.script(&call).await?;
        match answer.as_str() {
            "ok" => Ok(RetryOutcome::Queued),
            "missing" => Ok(RetryOutcome::NotFound),
            state => state
                .parse()
                .map(RetryOutcome::Conflict)
                .map_err(|error| Error::Stored(format!("state of {id}: {error}"))),
        }
    }
}
