//! A job as it is handed in and as a worker gets it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    ErrorCode, IdempotencyKey, Kind, RetryPolicy, Tenant, Topic, TraceContext,
    limits::{
        DEFAULT_ATTEMPTS, MAX_ATTEMPTS, MAX_DELAY_MS, MAX_PAYLOAD_BYTES, MAX_RUN_AT_MS,
        MAX_TIMEOUT_MS, MAX_TTL_MS,
    },
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
    /// Not before when it may run, in milliseconds since the Unix epoch by Redis' clock; instead of a delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_at: Option<u64>,
    /// How long it may wait for its first attempt, in milliseconds from when it may run; then it fails as expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// How long one attempt may take, in milliseconds; the worker's limit if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How often it may be tried, crashes included.
    pub max_attempts: u32,
    /// How long it rests between attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// What makes handing it in again safe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
    /// Which of its events are published.
    pub events: EventLevel,
    /// What is said on its channel together with its acceptance, as the data of the `queued` event.
    pub announce: Option<Box<RawValue>>,
    /// Which trace it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceContext>,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            tenant: Tenant::public(),
            topic: None,
            priority: Priority::Normal,
            delay_ms: 0,
            run_at: None,
            ttl_ms: None,
            timeout_ms: None,
            max_attempts: DEFAULT_ATTEMPTS,
            retry: None,
            key: None,
            events: EventLevel::All,
            announce: None,
            trace: None,
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
    /// Both a delay and a time to run at.
    #[error("delay_ms and run_at exclude each other")]
    DelayAndRunAt,
    /// The time to run at is after [`MAX_RUN_AT_MS`].
    #[error("run_at is {0}, it can be at most {MAX_RUN_AT_MS}")]
    RunAt(u64),
    /// No time to live, or more than [`MAX_TTL_MS`].
    #[error("ttl_ms is {0}, it must be from 1 to {MAX_TTL_MS}")]
    Ttl(u64),
    /// No time for an attempt, or more than [`MAX_TIMEOUT_MS`].
    #[error("timeout_ms is {0}, it must be from 1 to {MAX_TIMEOUT_MS}")]
    Timeout(u64),
    /// A pause between attempts is out of its range.
    #[error(
        "retry: pauses can be at most {MAX_DELAY_MS} ms, initial_ms at most max_ms, and jitter from 0 to 1"
    )]
    Retry,
    /// The topic is the id of another job, whose own channel that is.
    #[error("the topic is another job's id")]
    Topic,
    /// The trace context does not have the form that the W3C wants.
    #[error("trace: not a W3C trace context")]
    Trace,
}

impl InvalidJob {
    /// The code that a client sees.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::PayloadTooLarge(_) | Self::AnnounceTooLarge(_) => ErrorCode::TooLarge,
            _ => ErrorCode::InvalidJob,
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
        if options.run_at.is_some() && options.delay_ms > 0 {
            return Err(InvalidJob::DelayAndRunAt);
        }
        if let Some(at) = options.run_at.filter(|at| *at > MAX_RUN_AT_MS) {
            return Err(InvalidJob::RunAt(at));
        }
        if let Some(ttl) = options.ttl_ms.filter(|ttl| !(1..=MAX_TTL_MS).contains(ttl)) {
            return Err(InvalidJob::Ttl(ttl));
        }
        if let Some(timeout) = options
            .timeout_ms
            .filter(|timeout| !(1..=MAX_TIMEOUT_MS).contains(timeout))
        {
            return Err(InvalidJob::Timeout(timeout));
        }
        if options.retry.is_some_and(|policy| !policy.is_valid()) {
            return Err(InvalidJob::Retry);
        }
        if options
            .trace
            .as_ref()
            .is_some_and(|trace| !trace.is_valid())
        {
            return Err(InvalidJob::Trace);
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
    use crate::{Kind, RetryPolicy, TraceContext, limits};

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
        let refused = |options| job("1", options).validate().unwrap_err();
        let default = JobOptions::default;
        assert_eq!(
            refused(JobOptions {
                delay_ms: 1,
                run_at: Some(1),
                ..default()
            }),
            InvalidJob::DelayAndRunAt
        );
        // Redis' scripts could not write it down, and would run the job at once.
        assert_eq!(
            refused(JobOptions {
                run_at: Some(u64::MAX),
                ..default()
            }),
            InvalidJob::RunAt(u64::MAX)
        );
        assert_eq!(
            refused(JobOptions {
                ttl_ms: Some(0),
                ..default()
            }),
            InvalidJob::Ttl(0)
        );
        assert_eq!(
            refused(JobOptions {
                timeout_ms: Some(u64::MAX),
                ..default()
            }),
            InvalidJob::Timeout(u64::MAX)
        );
        let retry = Some(RetryPolicy::Fixed { delay_ms: u64::MAX });
        assert_eq!(
            refused(JobOptions { retry, ..default() }),
            InvalidJob::Retry
        );
        let trace = Some(TraceContext {
            traceparent: "x".to_owned(),
            tracestate: None,
        });
        assert_eq!(
            refused(JobOptions { trace, ..default() }),
            InvalidJob::Trace
        );
    }

    #[test]
    fn a_job_needs_only_kind_and_payload() {
        let job: Job = serde_json::from_str(r#"{"kind":"chat","payload":{"msg":"hi"}}"#).unwrap();
        assert_eq!(job.payload.get(), r#"{"msg":"hi"}"#);
        assert_eq!(job.options.max_attempts, limits::DEFAULT_ATTEMPTS);
    }
}
