//! How names, ids, times and limits are described. The limits are the protocol's own, so that the two can't differ.

use protocol::limits;
use serde_json::json;
use utoipa::openapi::{
    Object, ObjectBuilder,
    schema::{SchemaType, Type},
};

const NAME: &str = "^[A-Za-z0-9_.-]+$";
const JOB_ID: &str = "^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}$";

fn text(nullable: bool) -> ObjectBuilder {
    let mut types = vec![Type::String];
    if nullable {
        types.push(Type::Null);
    }
    ObjectBuilder::new().schema_type(SchemaType::from_iter(types))
}

fn number(nullable: bool, from: u64, to: u64) -> Object {
    let mut types = vec![Type::Integer];
    if nullable {
        types.push(Type::Null);
    }
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter(types))
        .minimum(Some(from))
        .maximum(Some(to))
        .build()
}

fn named(nullable: bool) -> Object {
    let text = text(nullable).pattern(Some(NAME)).min_length(Some(1));
    text.max_length(Some(limits::MAX_NAME_BYTES)).build()
}

/// Any JSON value.
pub(crate) fn any() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .build()
}

pub(crate) fn name() -> Object {
    named(false)
}

pub(crate) fn maybe_name() -> Object {
    named(true)
}

pub(crate) fn job_id() -> Object {
    text(false).pattern(Some(JOB_ID)).build()
}

pub(crate) fn maybe_job_id() -> Object {
    text(true).pattern(Some(JOB_ID)).build()
}

pub(crate) fn maybe_key() -> Object {
    let text = text(true).pattern(Some("^[!-~]+$")).min_length(Some(1));
    text.max_length(Some(limits::MAX_KEY_BYTES)).build()
}

pub(crate) fn traceparent() -> Object {
    let form = "^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$";
    text(false).pattern(Some(form)).build()
}

pub(crate) fn tracestate() -> Object {
    let text = text(true).pattern(Some("^[ -~]*$"));
    text.max_length(Some(limits::MAX_TRACE_STATE_BYTES)).build()
}

pub(crate) fn delay() -> Object {
    number(false, 0, limits::MAX_DELAY_MS)
}

pub(crate) fn run_at() -> Object {
    number(true, 0, limits::MAX_RUN_AT_MS)
}

pub(crate) fn ttl() -> Object {
    number(true, 1, limits::MAX_TTL_MS)
}

pub(crate) fn timeout() -> Object {
    number(true, 1, limits::MAX_TIMEOUT_MS)
}

pub(crate) fn attempts() -> Object {
    number(false, 1, limits::MAX_ATTEMPTS.into())
}

pub(crate) fn priority() -> Object {
    words(&["high", "normal", "low"], "normal")
}

pub(crate) fn level() -> Object {
    words(&["all", "outcome"], "all")
}

pub(crate) fn state() -> Object {
    let states = protocol::JobState::ALL.map(protocol::JobState::as_str);
    text(false).enum_values(Some(states)).build()
}

fn words(words: &[&'static str], default: &str) -> Object {
    let text = text(false).enum_values(Some(words.iter().copied()));
    text.default(Some(json!(default))).build()
}

pub(crate) fn durability() -> Object {
    let all = protocol::Durability::ALL.map(protocol::Durability::as_str);
    text(false).enum_values(Some(all)).build()
}

/// Codes of failures: more may be added.
pub(crate) fn failure() -> Object {
    text(false)
        .examples([json!("error"), json!("timeout")])
        .build()
}
