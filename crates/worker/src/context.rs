//! What a handler knows of its job, and how it speaks while it runs.

use std::time::Duration;

use broker::{EmitError, JobError, JobHandle, StopReason};
use protocol::{EventType, FailureCode, JobId, Kind, Tenant};
use serde::Serialize;
use serde_json::value::to_raw_value;
use tokio_util::sync::CancellationToken;

/// One attempt of one job, seen from its handler.
#[derive(Clone, Debug)]
pub struct JobContext {
    handle: JobHandle,
    kind: Kind,
    tenant: Tenant,
}

impl JobContext {
    pub(crate) const fn new(handle: JobHandle, kind: Kind, tenant: Tenant) -> Self {
        Self {
            handle,
            kind,
            tenant,
        }
    }

    /// The job's id.
    pub fn id(&self) -> JobId {
        self.handle.id()
    }

    /// The job's kind.
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Who the job belongs to.
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The number of this attempt. It grows with every attempt, those that were handed back included.
    pub fn attempt(&self) -> u32 {
        self.handle.attempt()
    }

    /// How often the job may be tried.
    pub fn max_attempts(&self) -> u32 {
        self.handle.max_attempts()
    }

    /// How many attempts are spent, this one included: those that a stopping worker handed back are not.
    pub fn spent(&self) -> u32 {
        self.handle.spent()
    }

    /// How long this attempt may take, if there is a limit.
    pub fn timeout(&self) -> Option<Duration> {
        self.handle.timeout()
    }

    /// Cancelled when the attempt should end; [`Self::stopped`] says why. After a grace it is abandoned: dropped at its
    /// next await. Where the worker must stop now, there is no grace.
    pub fn cancelled(&self) -> &CancellationToken {
        self.handle.cancelled()
    }

    /// Why the attempt should end, if it should: it was cancelled or took too long, its lease is lost, or the worker
    /// must stop now.
    pub fn stopped(&self) -> Option<StopReason> {
        self.handle.stopped()
    }

    /// Publishes how far the job is, as any JSON value.
    ///
    /// Waits while too much is on its way to Redis. Fails when the attempt is over, after which another may be made,
    /// and for good when the value is no JSON or over
    /// [`MAX_EVENT_DATA_BYTES`](protocol::limits::MAX_EVENT_DATA_BYTES).
    pub async fn progress<T: Serialize + ?Sized>(&self, data: &T) -> Result<(), JobError> {
        self.emit(EventType::Progress, data).await
    }

    /// Publishes a piece of the job's output. See [`JobContext::progress`] for how it fails.
    pub async fn chunk<T: Serialize + ?Sized>(&self, data: &T) -> Result<(), JobError> {
        self.emit(EventType::Chunk, data).await
    }

    /// Publishes a line for people. See [`JobContext::progress`] for how it fails.
    pub async fn log(&self, line: &str) -> Result<(), JobError> {
        self.emit(EventType::Log, line).await
    }

    async fn emit<T: Serialize + ?Sized>(
        &self,
        event: EventType,
        data: &T,
    ) -> Result<(), JobError> {
        // The next attempt would emit the same.
        let fatal = |message: String| JobError::fatal(FailureCode::Error, message);
        let data =
            to_raw_value(data).map_err(|error| fatal(format!("the event is not JSON: {error}")))?;
        match self.handle.emit(event, data).await {
            Ok(()) => Ok(()),
            Err(error @ EmitError::TooLarge(_)) => Err(fatal(error.to_string())),
            Err(error) => Err(JobError::retry(error.to_string())),
        }
    }
}
