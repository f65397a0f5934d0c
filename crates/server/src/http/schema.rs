//! How names, ids, times and limits are described. The limits are the protocol's own, so that the two can't differ.
//!
//! Each is a type of which there is no value: a field says that it is described as one.

use std::borrow::Cow;

use protocol::limits;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr,
        schema::{Schema, Type},
    },
};

use super::list;

macro_rules! described {
    ($($(#[$doc:meta])* $name:ident = $as:literal, $schema:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) enum $name {}

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($as)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.build().into()
            }
        }
    )*};
}

described! {
    /// A name of a queue, kind, tenant or topic.
    Name = "Name", text("^[A-Za-z0-9_.-]+$", limits::MAX_NAME_BYTES)
        .description(Some("Letters, digits, `_`, `-` and `.`"));
    /// The id of a job.
    Id = "JobId", form("^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}$")
        .description(Some("A ULID: 26 characters of Crockford's base 32, which sort by the time of their making"));
    /// An idempotency key.
    Key = "IdempotencyKey", text("^[!-~]+$", limits::MAX_KEY_BYTES)
        .description(Some("Visible ASCII characters"));
    /// A W3C `traceparent`.
    TraceParent = "TraceParent", form("^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$");
    /// A W3C `tracestate`.
    TraceState = "TraceState", form("^[ -~]*$").max_length(Some(limits::MAX_TRACE_STATE_BYTES));
    /// A pause in milliseconds.
    Pause = "Pause", number(0, limits::MAX_DELAY_MS);
    /// A time in milliseconds since the Unix epoch.
    RunAt = "RunAt", number(0, limits::MAX_RUN_AT_MS);
    /// A time to live in milliseconds.
    Ttl = "TimeToLive", number(1, limits::MAX_TTL_MS);
    /// The time of an attempt in milliseconds.
    Timeout = "AttemptTimeout", number(1, limits::MAX_TIMEOUT_MS);
    /// A number of attempts.
    Attempts = "Attempts", number(1, limits::MAX_ATTEMPTS.into());
    /// A priority.
    Priority = "Priority", words(["high", "normal", "low"]);
    /// Which events are published.
    Level = "EventLevel", words(["all", "outcome"]);
    /// The state of a job.
    State = "JobState", words(protocol::JobState::ALL.map(protocol::JobState::as_str));
    /// What happened to a job, or to the stream.
    EventType = "EventType", words([
        "queued", "started", "progress", "chunk", "log", "retrying", "completed", "failed", "cancelled", "gap",
    ]);
    /// What was made sure of.
    Durability = "Durability", words(protocol::Durability::ALL.map(protocol::Durability::as_str));
    /// What became of a change.
    Outcome = "Outcome", words(["done", "requested"]);
    /// Why an attempt failed.
    FailureCode = "FailureCode", ObjectBuilder::new().schema_type(Type::String)
        .description(Some("One of the failure codes of the protocol; there may be more in time"))
        .examples([json!("error"), json!("timeout")]);
    /// How long to wait.
    Wait = "Wait", form("^([1-9]|[1-5][0-9]|60)s$|^([1-9][0-9]{0,3}|[1-5][0-9]{4}|60000)ms$");
    /// How many jobs a page has.
    Limit = "Limit", number(1, list::MOST as u64).default(Some(json!(list::DEFAULT)));
    /// A place in a log, or none.
    Place = "Place", form("^([A-Za-z0-9]{1,64}:[0-9]{1,15})?$");
}

fn form(pattern: &str) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.pattern(Some(pattern))
}

fn text(pattern: &str, most: usize) -> ObjectBuilder {
    form(pattern).min_length(Some(1)).max_length(Some(most))
}

fn number(from: u64, to: u64) -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    number.minimum(Some(from)).maximum(Some(to))
}

fn words<const N: usize>(words: [&'static str; N]) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.enum_values(Some(words))
}
