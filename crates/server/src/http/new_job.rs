//! A job as it stands in a body: stricter than what the protocols share, so that a mistyped option is told and not ignored.

use protocol::{
    EventLevel, IdempotencyKey, JobId, JobOptions, Priority, RetryPolicy, Topic, TraceContext,
    Whole,
    limits::{DEFAULT_ATTEMPTS, MAX_DELAY_MS},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{body::Object, schema};
use crate::jobs::{OnDisconnect, Submit};

/// A job to hand in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewJob {
    /// Which handler runs it.
    #[schema(value_type = schema::Name)]
    kind: String,
    /// What it works on: any JSON value of at most 262,144 bytes, kept byte for byte.
    #[serde(default = "null")]
    #[schema(value_type = Value)]
    payload: Box<RawValue>,
    /// How it wants to be treated.
    #[serde(default)]
    #[schema(value_type = Options)]
    options: Object<Options>,
    /// Its id, if you choose one: handing in the same id again is safe.
    #[serde(default)]
    #[schema(value_type = Option<schema::Id>)]
    id: Option<JobId>,
}

/// How a job wants to be treated. Every option has a default. `run_at` and a `delay_ms` above 0 exclude each other.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = JobOptions)]
pub(super) struct Options {
    /// Where its events are published; its own id if absent. It must be one of your tenant's.
    #[schema(value_type = Option<schema::Name>)]
    topic: Option<Topic>,
    /// Which line it waits in; a lower one only runs when no higher one waits.
    #[schema(value_type = schema::Priority)]
    priority: Priority,
    /// How long it must wait before it may run, in milliseconds.
    #[schema(value_type = schema::Pause)]
    delay_ms: Whole,
    /// Not before when it may run, in milliseconds since the Unix epoch; instead of a delay.
    #[schema(value_type = Option<schema::RunAt>)]
    run_at: Option<Whole>,
    /// How long it may wait for its first attempt, in milliseconds from when it may run; then it fails as `expired`.
    #[schema(value_type = Option<schema::Ttl>)]
    ttl_ms: Option<Whole>,
    /// How long one attempt may take, in milliseconds; the worker's limit if absent.
    #[schema(value_type = Option<schema::Timeout>)]
    timeout_ms: Option<Whole>,
    /// How often it may be tried, crashes included.
    #[schema(value_type = schema::Attempts)]
    max_attempts: Whole,
    /// The pause between attempts.
    #[schema(value_type = Option<Retry>)]
    retry: Option<Object<Retry>>,
    /// The idempotency key: the same key, kind and payload mean the same job. The header `Idempotency-Key` says the same.
    #[schema(value_type = Option<schema::Key>)]
    pub(super) key: Option<IdempotencyKey>,
    /// Which of its events are published: `all`, or the `outcome` alone and what the handler tells.
    #[schema(value_type = schema::Level)]
    events: EventLevel,
    /// Any JSON value of at most 262,144 bytes, published with the `queued` event.
    #[schema(value_type = Value)]
    announce: Option<Box<RawValue>>,
    /// The W3C trace context that its attempts belong to.
    #[schema(value_type = Option<Trace>)]
    trace: Option<Object<Trace>>,
}

/// The pause between attempts.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Retry {
    /// Doubled with each attempt that failed.
    Exponential {
        /// The first pause, in milliseconds; no longer than `max_ms`, whatever stands here.
        #[schema(value_type = schema::Pause)]
        initial_ms: Whole,
        /// The longest pause, in milliseconds.
        #[schema(value_type = schema::Pause)]
        max_ms: Whole,
        /// By which share of itself a pause is made longer or shorter at random.
        #[schema(minimum = 0, maximum = 1)]
        jitter: f64,
    },
    /// Always the same.
    Fixed {
        /// The pause, in milliseconds.
        #[schema(value_type = schema::Pause)]
        delay_ms: Whole,
    },
}

/// A W3C trace context.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Trace {
    /// The trace, the parent span and its flags.
    #[schema(value_type = schema::TraceParent)]
    traceparent: String,
    /// What vendors add.
    #[serde(default)]
    #[schema(value_type = Option<schema::TraceState>)]
    tracestate: Option<String>,
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

impl Default for Options {
    fn default() -> Self {
        Self {
            topic: None,
            priority: Priority::Normal,
            delay_ms: Whole(0),
            run_at: None,
            ttl_ms: None,
            timeout_ms: None,
            max_attempts: Whole(DEFAULT_ATTEMPTS.into()),
            retry: None,
            key: None,
            events: EventLevel::All,
            announce: None,
            trace: None,
        }
    }
}

impl NewJob {
    /// The idempotency key, to be set by a header.
    pub(super) const fn key(&mut self) -> &mut Option<IdempotencyKey> {
        &mut self.options.0.key
    }

    pub(super) fn submit(self, queue: String) -> Submit {
        Submit {
            queue,
            kind: self.kind,
            payload: self.payload,
            options: self.options.0.into(),
            id: self.id,
            subscribe: false,
            on_disconnect: OnDisconnect::Keep,
        }
    }
}

impl From<Options> for JobOptions {
    fn from(options: Options) -> Self {
        Self {
            topic: options.topic,
            priority: options.priority,
            delay_ms: options.delay_ms.0,
            run_at: options.run_at.map(|at| at.0),
            ttl_ms: options.ttl_ms.map(|ttl| ttl.0),
            timeout_ms: options.timeout_ms.map(|timeout| timeout.0),
            // Far more than may be is too many as well.
            max_attempts: u32::try_from(options.max_attempts.0).unwrap_or(u32::MAX),
            retry: options.retry.map(|retry| retry.0.into()),
            key: options.key,
            events: options.events,
            announce: options.announce,
            trace: options.trace.map(|trace| TraceContext {
                traceparent: trace.0.traceparent,
                tracestate: trace.0.tracestate,
            }),
            // The tenant is whose token it is.
            ..Self::default()
        }
    }
}

impl From<Retry> for RetryPolicy {
    fn from(retry: Retry) -> Self {
        match retry {
            Retry::Exponential {
                initial_ms,
                max_ms,
                jitter,
            } => Self::Exponential {
                // One that is out of its range is not mended.
                initial_ms: if initial_ms.0 <= MAX_DELAY_MS {
                    initial_ms.0.min(max_ms.0)
                } else {
                    initial_ms.0
                },
                max_ms: max_ms.0,
                jitter,
            },
            Retry::Fixed { delay_ms } => Self::Fixed {
                delay_ms: delay_ms.0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NewJob, Object};

    #[test]
    fn what_is_mistyped_is_told() {
        let read = serde_json::from_str::<Object<NewJob>>;
        assert!(read(r#"{"kind":"a"}"#).is_ok());
        assert!(
            read(r#"{"kind":"a","options":{"retry":{"type":"fixed","delay_ms":5.0}}}"#).is_ok()
        );
        for wrong in [
            "{}",
            r#"{"kind":"a","option":{}}"#,
            r#"{"kind":"a","options":{"priorty":"high"}}"#,
            r#"{"kind":"a","options":[]}"#,
            r#"{"kind":"a","options":{"retry":["fixed",5]}}"#,
            r#"{"kind":"a","options":{"trace":["x"]}}"#,
            r#"{"kind":"a","id":"x"}"#,
            r#"{"kind":"a","options":{"delay_ms":1.5}}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_first_pause_is_no_longer_than_the_longest() {
        let text = r#"{"kind":"a","options":{"retry":{"type":"exponential","initial_ms":9,"max_ms":5,"jitter":0}}}"#;
        let job = serde_json::from_str::<Object<NewJob>>(text).unwrap().0;
        let options = job.submit("chat".to_owned()).options;
        assert!(options.retry.unwrap().is_valid());
        let job = text.replace('9', "99999999999999");
        let job = serde_json::from_str::<Object<NewJob>>(&job).unwrap().0;
        let options = job.submit("chat".to_owned()).options;
        assert!(!options.retry.unwrap().is_valid());
    }
}
