//! A schedule: which job is handed in at which times, as it is said in files, over HTTP and in Redis.
//!
//! Never says when the next time is: that needs a clock and time zones, which this crate has not.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    EventLevel, IdempotencyKey, InvalidJob, Job, JobId, JobOptions, Kind, Priority, QueueName,
    RetryPolicy, ScheduleName, SourceName, Tenant, Topic,
    limits::{
        DEFAULT_ATTEMPTS, MAX_CRON_BYTES, MAX_DELAY_MS, MAX_RUN_AT_MS, MAX_SCHEDULE_BYTES,
        MIN_EVERY_MS,
    },
};

mod when;

pub use when::{InvalidWhen, When};

/// What an operator says of a schedule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Its name, of which there is one in its queue.
    pub name: ScheduleName,
    /// The queue that its jobs go to.
    pub queue: QueueName,
    /// At which times.
    pub when: When,
    /// What becomes of times that nobody came to in time.
    #[serde(default)]
    pub missed: Missed,
    /// Whether it rests; absent means: as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// The file that it comes from, and is removed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    /// What is handed in.
    pub job: ScheduledJob,
}

/// What becomes of a run that no manager came to within a minute of its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// It does not happen.
    #[default]
    Skip,
    /// It happens as soon as it can, after those before it.
    CatchUp,
}

/// The job of a schedule. What is absent is as for any job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduledJob {
    /// Which handler runs it.
    pub kind: Kind,
    /// What the handler works on: any JSON value.
    pub payload: Box<RawValue>,
    /// Who it belongs to.
    #[serde(default = "Tenant::public")]
    pub tenant: Tenant,
    /// Where its events are published; its own id if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// Which line it waits in.
    #[serde(default)]
    pub priority: Priority,
    /// How long it may wait for its first attempt, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// How long one attempt may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How often it may be tried.
    #[serde(default = "default_attempts")]
    pub max_attempts: u32,
    /// How long it rests between attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Which of its events are published.
    #[serde(default)]
    pub events: EventLevel,
}

const fn default_attempts() -> u32 {
    DEFAULT_ATTEMPTS
}

/// A schedule as it stands: what was said of it, and how far it is.
#[derive(Clone, Debug, Serialize)]
pub struct ScheduleRecord {
    /// What was said of it; `paused` is never absent.
    #[serde(flatten)]
    pub schedule: Schedule,
    /// When it runs next by Redis' clock, in milliseconds since the Unix epoch, were it not paused; `null` if never again.
    pub next_at: Option<u64>,
    /// Its latest run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRun>,
}

/// A run of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LastRun {
    /// The time that it was for.
    pub at: u64,
    /// The job that it became.
    pub job: JobId,
}

/// Why a schedule can't be taken as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSchedule {
    /// Its job would not be taken.
    #[error("job: {0}")]
    Job(#[from] InvalidJob),
    /// All of it is over [`MAX_SCHEDULE_BYTES`].
    #[error("the schedule has {0} bytes, at most {MAX_SCHEDULE_BYTES} are taken")]
    TooLarge(usize),
    /// The text of a cron is over [`MAX_CRON_BYTES`].
    #[error("when: the cron has {0} bytes, at most {MAX_CRON_BYTES} are taken")]
    CronTooLong(usize),
    /// The interval is out of its range.
    #[error("when: every_ms is {0}, it must be from {MIN_EVERY_MS} to {MAX_DELAY_MS}")]
    Every(u64),
    /// A time is after [`MAX_RUN_AT_MS`].
    #[error("when: {0} is no time, it can be at most {MAX_RUN_AT_MS}")]
    Time(u64),
}

impl Schedule {
    /// Refuses what is over a limit. Whether a cron and a zone mean something is for others to say.
    pub fn validate(&self) -> Result<(), InvalidSchedule> {
        let job = self.job.to_job(None);
        job.validate()?;
        let topic = self.job.topic.as_ref();
        // The channel of a job is its own, and its jobs have other ids.
        if topic.is_some_and(|topic| topic.as_str().parse::<JobId>().is_ok()) {
            return Err(InvalidJob::Topic.into());
        }
        let bytes = self.stored().len();
        if bytes > MAX_SCHEDULE_BYTES {
            return Err(InvalidSchedule::TooLarge(bytes));
        }
        let time = |at: u64| match at {
            0..=MAX_RUN_AT_MS => Ok(()),
            _ => Err(InvalidSchedule::Time(at)),
        };
        match &self.when {
            When::Cron { cron, zone } if cron.len() + zone.len() > MAX_CRON_BYTES => {
                Err(InvalidSchedule::CronTooLong(cron.len() + zone.len()))
            }
            When::Cron { .. } => Ok(()),
            When::Every { every_ms, from } => {
                if !(MIN_EVERY_MS..=MAX_DELAY_MS).contains(every_ms) {
                    return Err(InvalidSchedule::Every(*every_ms));
                }
                from.map_or(Ok(()), time)
            }
            When::At { at } => time(*at),
        }
    }

    /// The definition as it is stored: one line of JSON.
    pub fn stored(&self) -> String {
        let json = serde_json::to_string(self).expect("names, numbers and JSON are always JSON");
        // In JSON a line break is only ever space.
        if json.contains('\n') {
            json.replace('\n', " ")
        } else {
            json
        }
    }
}

impl ScheduledJob {
    /// The job of one run, with the key that it is to have.
    pub fn to_job(&self, key: Option<IdempotencyKey>) -> Job {
        Job {
            kind: self.kind.clone(),
            payload: self.payload.clone(),
            options: JobOptions {
                tenant: self.tenant.clone(),
                topic: self.topic.clone(),
                priority: self.priority,
                ttl_ms: self.ttl_ms,
                timeout_ms: self.timeout_ms,
                max_attempts: self.max_attempts,
                retry: self.retry,
                events: self.events,
                key,
                ..JobOptions::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidSchedule, Missed, Schedule, ScheduleRecord, When};
    use crate::{InvalidJob, limits};

    fn read(rest: &str) -> Result<Schedule, serde_json::Error> {
        serde_json::from_str(&format!(r#"{{"name":"a","queue":"chat",{rest}}}"#))
    }

    fn schedule(when: &str, job: &str) -> Schedule {
        read(&format!(r#""when":{when},"job":{job}"#)).unwrap()
    }

    const JOB: &str = r#"{"kind":"chat","payload":{"msg":"hi"}}"#;

    #[test]
    fn a_schedule_needs_only_name_queue_times_and_job() {
        let schedule = schedule(r#"{"every_ms":60000}"#, JOB);
        assert_eq!((schedule.missed, schedule.paused), (Missed::Skip, None));
        assert_eq!(schedule.validate(), Ok(()));
        let again: Schedule = serde_json::from_str(&schedule.stored()).unwrap();
        assert_eq!(again.when, schedule.when);
        assert_eq!(again.job.payload.get(), r#"{"msg":"hi"}"#);
        assert_eq!(again.job.max_attempts, limits::DEFAULT_ATTEMPTS);
        let unknown = format!(r#""when":{{"at":1}},"job":{JOB},"cron":"* * * * *""#);
        assert!(read(&unknown).unwrap_err().to_string().contains("`cron`"));
    }

    #[test]
    fn it_is_stored_as_one_line() {
        let schedule = schedule(r#"{"at":5}"#, "{\"kind\":\"a\",\"payload\":[1,\n2]}");
        assert!(!schedule.stored().contains('\n'));
        assert!(schedule.stored().ends_with(r#""events":"all"}}"#));
    }

    #[test]
    fn a_record_is_a_schedule_and_more() {
        let record = ScheduleRecord {
            schedule: schedule(r#"{"at":5}"#, JOB),
            next_at: None,
            last: None,
        };
        let json = serde_json::to_string(&record).unwrap();
        assert!(json.contains(r#""when":{"at":5}"#), "{json}");
        assert!(json.contains(r#""payload":{"msg":"hi"}"#), "{json}");
        assert!(json.ends_with(r#""next_at":null}"#), "{json}");
    }

    #[test]
    fn limits_are_checked() {
        let refused = |when: &str, job: &str| schedule(when, job).validate().unwrap_err();
        let time = limits::MAX_RUN_AT_MS + 1;
        let at = format!(r#"{{"at":{time}}}"#);
        assert_eq!(refused(&at, JOB), InvalidSchedule::Time(time));
        let from = format!(r#"{{"every_ms":5000,"from":{time}}}"#);
        assert_eq!(refused(&from, JOB), InvalidSchedule::Time(time));
        assert_eq!(
            refused(r#"{"every_ms":999}"#, JOB),
            InvalidSchedule::Every(999)
        );
        let long = format!(r#"{{"cron":"{}"}}"#, "1,".repeat(limits::MAX_CRON_BYTES));
        assert!(matches!(
            refused(&long, JOB),
            InvalidSchedule::CronTooLong(_)
        ));
        let none = r#"{"kind":"a","payload":1,"max_attempts":0}"#;
        assert_eq!(
            refused(r#"{"at":5}"#, none),
            InvalidSchedule::Job(InvalidJob::Attempts(0))
        );
        let large = format!(
            r#"{{"kind":"a","payload":"{}"}}"#,
            "x".repeat(limits::MAX_SCHEDULE_BYTES)
        );
        assert!(matches!(
            refused(r#"{"at":5}"#, &large),
            InvalidSchedule::TooLarge(_)
        ));
    }

    #[test]
    fn a_zone_is_utc_unless_said_otherwise() {
        let schedule = schedule(r#"{"cron":"0 */5 * * * *"}"#, JOB);
        assert_eq!(
            schedule.when,
            When::Cron {
                cron: "0 */5 * * * *".to_owned(),
                zone: "UTC".to_owned()
            }
        );
    }
}
