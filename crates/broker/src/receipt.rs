//! What a submitter learns of a job that it handed in.

use std::{fmt, sync::Arc, time::Duration};

use protocol::{Durability, ErrorCode, Failure, JobId, JobState};
use redis::{ParsingError, Value};
use serde_json::value::RawValue;

use crate::{Error, failure};

/// The proof that a job is stored, given only after it is.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The job. Not the one that was handed in, if another has the same idempotency key.
    pub id: JobId,
    /// Whether it was there already.
    pub duplicate: bool,
    /// What was made sure of before this was given.
    pub durability: Durability,
    /// The state of a job that was there already; absent for a new one, and for one that is forgotten by now.
    pub state: Option<JobState>,
    /// The result of one that had completed already.
    pub result: Option<Box<RawValue>>,
    /// What went wrong last in one that was there already.
    pub error: Option<Failure>,
    /// The epoch of its channel's log.
    pub epoch: String,
    /// The log's newest offset once the job was stored: what comes later has a higher one.
    pub offset: u64,
}

/// What a script says of a job that was there already: its state, result and error.
type Known = (String, String, String);

/// Reads what a script answered about one job: what became of it, the id of the one that was there already, the epoch and
/// offset of its log, and what is known of it where there is anything to say. A number says that it was stored too, in a
/// log of the same `epoch` as the one before it.
pub(crate) fn read(
    id: JobId,
    row: Value,
    durability: Durability,
    last_epoch: &mut String,
) -> Result<Result<Receipt, SubmitError>, Error> {
    let mut row = match row {
        Value::Array(row) => row,
        Value::Int(offset) => {
            return Ok(Ok(Receipt {
                id,
                duplicate: false,
                durability,
                state: None,
                result: None,
                error: None,
                epoch: last_epoch.clone(),
                offset: offset.unsigned_abs(),
            }));
        }
        _ => return Err(Error::Stored("an answer of another form".to_owned())),
    };
    let stored = |error: ParsingError| Error::Stored(error.to_string());
    let known: Option<Known> = if row.len() > 4 {
        Some(redis::from_redis_value(Value::Array(row.split_off(4))).map_err(stored)?)
    } else {
        None
    };
    let (status, other, epoch, offset): (u8, String, String, u64) =
        redis::from_redis_value(Value::Array(row)).map_err(stored)?;
    last_epoch.clone_from(&epoch);
    let receipt = |id, duplicate| Receipt {
        id,
        duplicate,
        durability,
        state: None,
        result: None,
        error: None,
        epoch,
        offset,
    };
    Ok(match (status, known) {
        (0, _) => Ok(receipt(id, false)),
        (1, Some((state, result, error))) => {
            let id = other
                .parse()
                .map_err(|error| Error::Stored(format!("a job's id: {error}")))?;
            Ok(Receipt {
                state: state.parse().ok(),
                result: RawValue::from_string(result).ok(),
                error: failure::read(error.as_bytes()),
                ..receipt(id, true)
            })
        }
        (2, _) => Err(SubmitError::Conflict),
        (3, _) => Err(SubmitError::QueueFull {
            retry_after: Duration::from_millis(offset),
        }),
        (other, _) => return Err(Error::Stored(format!("an answer of the kind {other}"))),
    })
}

/// Why a job was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// A limit is exceeded.
    #[error(transparent)]
    Invalid(#[from] protocol::InvalidJob),
    /// Redis did not confirm in time. The job may be stored all the same: hand it in again under the same id.
    #[error("the job could not be stored in time")]
    Unconfirmed,
    /// The tenant used the idempotency key for another payload, or the id is that of another tenant's job.
    #[error("the idempotency key belongs to a job with another payload, or the id is taken")]
    Conflict,
    /// As many jobs wait as may; the job is not stored.
    #[error("the queue is full: try again in {} ms", .retry_after.as_millis())]
    QueueFull {
        /// After how long another try makes sense.
        retry_after: Duration,
    },
    /// Redis' memory is full; the job is not stored.
    #[error("the queue's memory is full")]
    Full,
    /// The process is stopping; the job is not stored.
    #[error("the process is stopping")]
    Stopping,
    /// Redis refused in a way that trying again does not mend; logged where it happened.
    #[error("the job could not be stored")]
    Refused,
}

impl SubmitError {
    /// The code that a client sees.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(error) => error.code(),
            Self::Conflict => ErrorCode::Conflict,
            Self::QueueFull { .. } => ErrorCode::QueueFull,
            _ => ErrorCode::Unavailable,
        }
    }
}

/// Called once with what became of a submitted job: put it into the task's data to hear of it without waiting.
///
/// It runs on the producer's task and must not block.
#[derive(Clone)]
pub struct OnReceipt(Arc<dyn Fn(Result<Receipt, SubmitError>) + Send + Sync>);

impl OnReceipt {
    /// Wraps a function.
    pub fn new(f: impl Fn(Result<Receipt, SubmitError>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(f))
    }

    pub(crate) fn call(&self, result: Result<Receipt, SubmitError>) {
        (self.0)(result);
    }
}

impl fmt::Debug for OnReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnReceipt")
    }
}
