//! What stands in the address of a request. What can't be read is told in a sentence, as every refusal is.

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use protocol::{JobId, QueueName};
use serde::{Deserialize, de::DeserializeOwned};

use super::{Admin, Problem};

/// A queue in the address, whether there is such a one or not.
pub(super) struct OfQueue(pub(super) QueueName);

/// A job in the address, and the queue that it is in.
pub(super) struct OfJob(pub(super) QueueName, pub(super) JobId);

/// A job's id in the address.
pub(super) struct OfId(pub(super) JobId);

/// What stands behind the `?`.
pub(super) struct Asked<T>(pub(super) T);

#[derive(Deserialize)]
struct QueuePath {
    queue: String,
}

#[derive(Deserialize)]
struct JobPath {
    queue: String,
    id: String,
}

#[derive(Deserialize)]
struct IdPath {
    id: String,
}

pub(super) async fn path<T: DeserializeOwned + Send, S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
) -> Result<T, Problem> {
    let read = Path::<T>::from_request_parts(parts, state).await;
    let Path(path) = read.map_err(|error| Problem::malformed(error.body_text()))?;
    Ok(path)
}

pub(super) fn queue(name: &str) -> Result<QueueName, Problem> {
    // A name that can't be one is not there either.
    QueueName::new(name).map_err(|error| Problem::not_found(format!("no queue: {error}")))
}

fn id(text: &str) -> Result<JobId, Problem> {
    text.parse()
        .map_err(|error| Problem::not_found(format!("no job: {error}")))
}

impl<S: Send + Sync> FromRequestParts<S> for OfQueue {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let of: QueuePath = path(parts, state).await?;
        queue(&of.queue).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfJob {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let of: JobPath = path(parts, state).await?;
        Ok(Self(queue(&of.queue)?, id(&of.id)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let of: IdPath = path(parts, state).await?;
        id(&of.id).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        let Query(asked) = read.map_err(|error| Problem::malformed(error.body_text()))?;
        Ok(Self(asked))
    }
}

impl Admin {
    /// An error of Redis, with where Redis is.
    pub(super) fn problem(&self, error: &broker::Error) -> Problem {
        Problem::redis(error, &self.redis.address())
    }

    /// Refuses a queue that nobody has handed a job to or set anything for.
    pub(super) async fn expect(&self, queue: &QueueName) -> Result<(), Problem> {
        let queues = self.inspector.queues().await;
        if queues
            .map_err(|error| self.problem(&error))?
            .contains(queue)
        {
            return Ok(());
        }
        Err(Problem::not_found(format!("no queue is named `{queue}`")))
    }
}
