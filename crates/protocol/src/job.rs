//! A job as it is handed in and as a worker gets it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    ErrorCode, Kind, Tenant, Topic,
    limits::{DEFAULT_ATTEMPTS, MAX_ATTEMPTS, MAX_DELAY_MS, MAX_PAYLOAD_BYTES},
};

/// A unit of work: what kind it is, what it works on, and how it wants to be treated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Which handler runs it.
    pub kind: Kind,
    /// What the handler works on: any JSON value, kept byte for byte.
    pub payload: Box<RawValue>,
    /// Everything else.
    #[serde(default)]
    pub options: JobOptions,
}

/// How a job wants to be treated. Every option has a default.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct JobOptions {
    /// Who the job belongs to. Claims take from tenants in turn.
    pub tenant: Tenant,
    /// Where its events are published; its own id if absent.
    pub topic: Option<Topic>,
    /// Which line it waits in.
    pub priority: Priority,
    /// How long it must wait before it may run, in milliseconds.
    pub delay_ms: u64,
    /// How often it may be tried, crashes included.
    pub max_attempts: u32,
    /// Which of its events are published.
    pub events: EventLevel,
    /// What is said on its channel together with its acceptance, as the data of the `queued` event.
    pub announce: Option<Box<RawValue>>,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            tenant: Tenant::public(),
            topic: None,
            priority: Priority::Normal,
            delay_ms: 0,
            max_attempts: DEFAULT_ATTEMPTS,
            events: EventLevel::All,
            announce: None,
        }
    }
}

/// Why a job can't be taken as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidJob {
    /// The payload is over [`MAX_PAYLOAD_BYTES`].
    #[error("the payload has {0} bytes, at most {MAX_PAYLOAD_BYTES} are taken")]
    PayloadTooLarge(usize),
    /// The announcement is over [`MAX_PAYLOAD_BYTES`].
    #[error("the announcement has {0} bytes, at most {MAX_PAYLOAD_BYTES} are taken")]
    AnnounceTooLarge(usize),
    /// No attempts, or more than [`MAX_ATTEMPTS`].
    #[error("max_attempts is {0}, it must be from 1 to {MAX_ATTEMPTS}")]
    Attempts(u32),
    /// The delay is over [`MAX_DELAY_MS`].
    #[error("delay_ms is {0}, it can be at most {MAX_DELAY_MS}")]
    Delay(u64),
}

impl InvalidJob {
    /// The code that a client sees.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::PayloadTooLarge(_) | Self::AnnounceTooLarge(_) => ErrorCode::TooLarge,
            Self::Attempts(_) | Self::Delay(_) => ErrorCode::InvalidJob,
        }
    }
}

impl Job {
    /// Refuses what is over a limit.
    pub fn validate(&self) -> Result<(), InvalidJob> {
        let options = &self.options;
        let payload = self.payload.get().len();
        let announce = options
            .announce
            .as_ref()
            .map_or(0, |value| value.get().len());
        if payload > MAX_PAYLOAD_BYTES {
            return Err(InvalidJob::PayloadTooLarge(payload));
        }
        if announce > MAX_PAYLOAD_BYTES {
            return Err(InvalidJob::AnnounceTooLarge(announce));
        }
        if !(1..=MAX_ATTEMPTS).contains(&options.max_attempts) {
            return Err(InvalidJob::Attempts(options.max_attempts));
        }
        if options.delay_ms > MAX_DELAY_MS {
            return Err(InvalidJob::Delay(options.delay_ms));
        }
        Ok(())
    }
}

/// Which line a job waits in. A line is only looked at when all before it are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Before all others.
    High,
    /// Unless said otherwise.
    #[default]
    Normal,
    /// When nothing else waits.
    Low,
}

impl Priority {
    /// The line's number in Redis: lower goes first.
    pub const fn line(self) -> u8 {
        match self {
            Self::High => 0,
            Self::Normal => 1,
            Self::Low => 2,
        }
    }
}

/// Which of a job's events are published and logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventLevel {
    /// Every change of state, and what the handler tells.
    #[default]
    All,
    /// Only an announcement, what the handler tells, and the terminal event: for topics that many jobs share.
    Outcome,
}

impl EventLevel {
    /// The level as it stands in Redis.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Outcome => "outcome",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::{InvalidJob, Job, JobOptions};
    use crate::{Kind, limits};

    fn job(payload: &str, options: JobOptions) -> Job {
        Job {
            kind: Kind::new("test").unwrap(),
            payload: RawValue::from_string(payload.to_owned()).unwrap(),
            options,
        }
    }

    #[test]
    fn limits_are_checked() {
        assert_eq!(job("{}", JobOptions::default()).validate(), Ok(()));
        let long = format!("\"{}\"", "x".repeat(limits::MAX_PAYLOAD_BYTES - 1));
        let result = job(&long, JobOptions::default()).validate();
        assert_eq!(
            result,
            Err(InvalidJob::PayloadTooLarge(limits::MAX_PAYLOAD_BYTES + 1))
        );
        let none = JobOptions {
            max_attempts: 0,
            ..JobOptions::default()
        };
        assert_eq!(job("1", none).validate(), Err(InvalidJob::Attempts(0)));
        let late = JobOptions {
            delay_ms: u64::MAX,
            ..JobOptions::default()
        };
        assert_eq!(job("1", late).validate(), Err(InvalidJob::Delay(u64::MAX)));
    }

    #[test]
    fn a_job_needs_only_kind_and_payload() {
        let job: Job = serde_json::from_str(r#"{"kind":"chat","payload":{"msg":"hi"}}"#).unwrap();
        assert_eq!(job.payload.get(), r#"{"msg":"hi"}"#);
        assert_eq!(job.options.max_attempts, limits::DEFAULT_ATTEMPTS);
    }
}
