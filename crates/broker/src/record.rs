//! Reads a job as it is stored.

use std::{collections::HashMap, str::FromStr};

use protocol::{JobId, JobRecord, Priority, QueueName};
use serde_json::value::RawValue;

use crate::extra::Extra;

/// Reads a job's hash. A damaged field reads as absent or as its default, so that an operator still sees the job.
pub(crate) fn record(
    queue: &QueueName,
    id: JobId,
    hash: &HashMap<String, Vec<u8>>,
) -> Option<JobRecord> {
    let text = |name: &str| {
        hash.get(name)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
    };
    let extra = Extra::read(hash.get("extra").map_or(&[], Vec::as_slice));
    let json = |name: &str| text(name).and_then(|text| RawValue::from_string(text.to_owned()).ok());
    Some(JobRecord {
        id,
        queue: queue.clone(),
        kind: parsed(text("kind")).or_else(|| "unknown".parse().ok())?,
        state: parsed(text("state"))?,
        tenant: parsed(text("tenant")).unwrap_or_else(protocol::Tenant::public),
        topic: parsed(text("topic")).or_else(|| id.to_string().parse().ok())?,
        priority: match text("priority") {
            Some("0") => Priority::High,
            Some("2") => Priority::Low,
            _ => Priority::Normal,
        },
        attempt: parsed(text("attempt")).unwrap_or(0),
        handed_back: parsed(text("back")).unwrap_or(0),
        max_attempts: parsed(text("max")).unwrap_or(1),
        created_at: parsed(text("created")).unwrap_or(0),
        due_at: parsed(text("due")),
        started_at: parsed(text("started")),
        finished_at: parsed(text("finished")),
        worker: text("worker").map(str::to_owned),
        expires_at: parsed(text("expires")),
        timeout_ms: extra.timeout_ms,
        retry: extra.retry,
        key: parsed(text("key")),
        cancel_at: parsed(text("cancel")),
        output_from: parsed(text("from")),
        trace: extra.trace,
        payload: json("payload"),
        result: json("result"),
        error: text("error").and_then(|text| serde_json::from_str(text).ok()),
    })
}

fn parsed<T: FromStr>(text: Option<&str>) -> Option<T> {
    text.and_then(|text| text.parse().ok())
}
