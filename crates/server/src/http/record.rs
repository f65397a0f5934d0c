//! What the description says of a job's record and events, which are [`protocol::JobRecord`] and [`protocol::Event`].
//! Tests compare them.

use utoipa::ToSchema;

use super::{
    new_job::{Retry, Trace},
    schema,
};

/// Everything that is known of one job. Times are by Redis' clock, in milliseconds since the Unix epoch.
#[derive(ToSchema)]
#[schema(as = Job)]
#[expect(dead_code, reason = "only described")]
pub(super) struct Record {
    /// Its id.
    #[schema(value_type = schema::Id)]
    id: String,
    /// The queue that it is in.
    #[schema(value_type = schema::Name)]
    queue: String,
    /// Which handler runs it.
    #[schema(value_type = schema::Name)]
    kind: String,
    /// Where it is in its life.
    #[schema(value_type = schema::State)]
    state: String,
    /// Who it belongs to.
    #[schema(value_type = schema::Name)]
    tenant: String,
    /// Where its events are published.
    #[schema(value_type = schema::Name)]
    topic: String,
    /// Which line it waits in.
    #[schema(value_type = schema::Priority)]
    priority: String,
    /// The number of its latest attempt; 0 before the first.
    attempt: u32,
    /// How many attempts do not count against `max_attempts`.
    handed_back: u32,
    /// How often it may be tried.
    max_attempts: u32,
    /// When it was accepted.
    created_at: u64,
    /// Not before when, for a delayed job.
    due_at: Option<u64>,
    /// When its latest attempt began.
    started_at: Option<u64>,
    /// When it ended.
    finished_at: Option<u64>,
    /// When it fails as expired unless an attempt has begun.
    expires_at: Option<u64>,
    /// How long one attempt may take, in milliseconds, if the job says so itself.
    timeout_ms: Option<u64>,
    /// The pause between attempts, if the job says so itself.
    retry: Option<Retry>,
    /// Its idempotency key.
    key: Option<String>,
    /// When its cancellation was asked for while it ran.
    cancel_at: Option<u64>,
    /// The offset in its channel's log after which its latest attempt's output comes.
    output_from: Option<u64>,
    /// Which trace it belongs to.
    trace: Option<Trace>,
    /// The worker that holds it, or held it last.
    worker: Option<String>,
    /// What it works on; not in a list.
    #[schema(required = false, value_type = Value)]
    payload: String,
    /// What it resulted in; not in a list.
    #[schema(required = false, value_type = Value)]
    result: String,
    /// What went wrong in its latest failed attempt.
    error: Option<Failure>,
}

/// What went wrong in an attempt.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(crate) struct Failure {
    /// The class of the failure, for programs.
    #[schema(value_type = schema::FailureCode)]
    code: String,
    /// What happened, for people.
    message: String,
}

/// A server-sent event.
#[derive(ToSchema)]
#[schema(as = StreamedEvent)]
#[expect(dead_code, reason = "only described")]
pub(super) struct Streamed {
    /// Its place in the channel's log, `epoch:offset`: send it as `Last-Event-ID` to go on after it.
    id: String,
    /// Its type, which the data has too.
    #[schema(value_type = schema::EventType)]
    event: String,
    /// The event, as JSON.
    data: String,
}

/// What happened to a job. A `gap` has nothing but its type: events before the next one are lost.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(super) struct JobEvent {
    /// What happened.
    #[schema(value_type = schema::EventType)]
    r#type: String,
    /// To which job.
    #[schema(required = false, value_type = schema::Id)]
    job: String,
    /// Of which kind.
    #[schema(required = false, value_type = schema::Name)]
    kind: String,
    /// In which attempt; 0 before the first.
    #[schema(required = false)]
    attempt: u32,
    /// When, by Redis' clock, in milliseconds since the Unix epoch.
    #[schema(required = false)]
    time: u64,
    /// What the type says: an announcement, progress, output or result.
    #[schema(required = false, value_type = Value)]
    data: String,
    /// What went wrong, in `retrying` and `failed`.
    #[schema(required = false, value_type = Failure)]
    error: String,
    /// In `started`: the offset after which this attempt's output comes. What an earlier one put out is void.
    #[schema(required = false)]
    from: u64,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;
    use utoipa::PartialSchema;

    use super::{JobEvent, Record};

    fn described<T: PartialSchema>() -> BTreeSet<String> {
        let schema = serde_json::to_value(T::schema()).unwrap();
        schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    }

    fn written(json: &Value) -> BTreeSet<String> {
        json.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn a_record_is_what_is_described() {
        let full = serde_json::json!({
            "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "queue": "a", "kind": "a", "state": "failed", "tenant": "a",
            "topic": "a", "priority": "high", "attempt": 1, "handed_back": 0, "max_attempts": 1, "created_at": 1,
            "due_at": 1, "started_at": 1, "finished_at": 1, "expires_at": 1, "timeout_ms": 1,
            "retry": {"type": "fixed", "delay_ms": 1}, "key": "a", "cancel_at": 1, "output_from": 1,
            "trace": {"traceparent": "x"}, "worker": "a", "payload": 1, "result": 1,
            "error": {"code": "error", "message": "x"},
        });
        // A field that is new in the protocol is missing above or below.
        let record: protocol::JobRecord = serde_json::from_str(&full.to_string()).unwrap();
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(json, full);
        assert_eq!(written(&json), described::<Record>());
    }

    #[test]
    fn an_event_is_what_is_described() {
        let full = r#"{"type":"started","job":"01ARZ3NDEKTSV4RRFFQ69G5FAV","kind":"a","attempt":1,"time":5,"data":1,"error":{"code":"error","message":"x"},"from":1}"#;
        let event: protocol::Event<'_> = serde_json::from_str(full).unwrap();
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(written(&json), described::<JobEvent>());
    }
}
