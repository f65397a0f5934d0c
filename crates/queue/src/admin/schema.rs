//! How the description tells of what is made elsewhere: names, ids, and what other crates write as JSON.
//!
//! Each is a type of which there is no value. What has many fields is told in words, and where the fields are listed.

use std::borrow::Cow;

use protocol::limits;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr,
        schema::{AdditionalProperties, Schema, Type},
    },
};

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
    Name = "Name", text("^[A-Za-z0-9_.-]+$", limits::MAX_NAME_BYTES);
    /// The id of a job.
    Id = "JobId", form("^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}$");
    /// An idempotency key.
    Key = "IdempotencyKey", text("^[!-~]+$", limits::MAX_KEY_BYTES);
    /// A pause in milliseconds.
    Pause = "Pause", number(0, limits::MAX_DELAY_MS);
    /// A number of attempts.
    Attempts = "Attempts", number(1, limits::MAX_ATTEMPTS.into());
    /// A priority.
    Priority = "Priority", words(["high", "normal", "low"]);
    /// The state of a job.
    State = "JobState", words(protocol::JobState::ALL.map(protocol::JobState::as_str));
    /// What became of a change.
    Outcome = "Outcome", words(["done", "asked"]);
    /// A change of many jobs.
    Verb = "Verb", words(["retry", "cancel", "delete", "run_now"]);
    /// Why an attempt failed.
    FailureCode = "FailureCode", words([
        "error", "panic", "undecodable", "unknown_kind", "result_too_large", "lease_lost", "timeout", "expired",
    ]);
    /// What becomes of times that were missed.
    Missed = "Missed", words(["skip", "catch_up"]);
    /// A schedule.
    Schedule = "Schedule", open(["name", "queue", "when", "missed", "paused", "job", "next_at"])
        .description(Some("What was said of it, when it runs `next_at`, and its `last` run: the time that it was for, and the job"));
    /// Counts by name.
    Numbers = "Counts", ObjectBuilder::new().schema_type(Type::Object)
        .additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(number(0, u64::MAX / 2).build().into()))));
    /// A job.
    Job = "Job", open(["id", "queue", "kind", "state", "tenant", "topic", "priority", "attempt", "handed_back", "max_attempts", "created_at"])
        .description(Some("All that is known of a job; times in milliseconds since the Unix epoch. Its `payload` and `result` are \
            left out in lists; `error` has a `code`, a `message`, and for a panic its `backtrace`"));
    /// An event.
    Event = "JobEvent", open(["type", "job", "kind", "attempt", "time"])
        .description(Some("What happened to a job: its `type`, in which attempt, when, and `data` or an `error`"));
    /// A server-sent event.
    Streamed = "StreamedEvent", open(["event", "data"])
        .description(Some("A server-sent event: its type, for what happened to a job its place as `id`, and JSON as `data`"));
    /// What a worker says of itself.
    Card = "WorkerCard", open(["name", "host", "pid", "version", "concurrency", "active", "started_at", "kinds", "beat_at", "alive"]);
    /// Errors put together.
    Errors = "Errors", open(["looked", "of", "groups"])
        .description(Some("How many of how many failed jobs were looked at, and `groups` with `code`, `message`, `count`, `kinds`, \
            `first_at`, `last_at` and the id of an `example`"));
    /// Tenants.
    Tenants = "Tenants", open(["tenants"])
        .description(Some("`tenants` with how many jobs of theirs are `waiting` and `active`, and `limits` of their own"));
    /// How Redis does.
    Redis = "RedisHealth", open(["address", "version", "mode", "uptime_s", "clients", "ops_per_s", "memory", "persistence", "replication", "warnings"]);
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

/// An object that has at least these fields.
fn open<const N: usize>(fields: [&str; N]) -> ObjectBuilder {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    fields.into_iter().fold(object, ObjectBuilder::required)
}

/// A queue in the address.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(super) struct QueuePath {
    /// The queue.
    #[param(inline, value_type = Name, example = "chat")]
    queue: String,
}

/// A job in the address.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(super) struct JobPath {
    /// The queue that it is in.
    #[param(inline, value_type = Name, example = "chat")]
    queue: String,
    /// Its id.
    #[param(inline, value_type = Id)]
    id: String,
}

/// A schedule in the address.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(super) struct SchedulePath {
    /// The queue that its jobs go to.
    #[param(inline, value_type = Name, example = "chat")]
    queue: String,
    /// Its name.
    #[param(inline, value_type = Name)]
    name: String,
}

/// A job in the address, whose queue is not known.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(super) struct IdPath {
    /// Its id.
    #[param(inline, value_type = Id)]
    id: String,
}
