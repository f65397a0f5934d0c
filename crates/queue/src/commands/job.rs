//! `queue job`: everything about one job. Changes nothing.

use std::fmt::Write as _;

use clap::Args;
use protocol::{JobId, JobRecord, Priority, QueueName, RetryPolicy};

use super::{follow, jobs::spent};
use crate::{
    Millis,
    console::Console,
    fault::Fault,
    text::{age, escape, json},
    whole::Whole,
};

/// Options of `queue job`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
With --follow the exit code is 1 unless the job completes.

Examples:
  queue job 01ARZ3NDEKTSV4RRFFQ69G5FAV
  queue job 01ARZ3NDEKTSV4RRFFQ69G5FAV --follow
  queue job 01ARZ3NDEKTSV4RRFFQ69G5FAV --json | jq .payload")]
pub struct JobArgs {
    /// The job
    pub id: JobId,
    /// The queue that it is in; all are searched without
    #[arg(long)]
    pub queue: Option<QueueName>,
    /// Print its events, as far as its channel's log has them
    #[arg(long)]
    pub events: bool,
    /// Print its events, and those to come until it ends
    #[arg(long, conflicts_with = "events")]
    pub follow: bool,
    /// Print JSON, for programs: the job, or a line for each event
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn job(console: &Console, args: &JobArgs) -> Result<(), Fault> {
    let record = find(console, args.id, args.queue.as_ref())
        .await?
        .ok_or(Fault::NoJob(args.id))?;
    if args.events {
        return follow::events(console, &record, args.json).await;
    }
    if args.follow {
        return follow::to_the_end(console, &record, args.json).await;
    }
    if args.json {
        return console.out.json(&Whole::from(record));
    }
    console.out.print(&portrait(&record, age::now_ms()))
}

/// A job in the queue that is named, or in any.
pub(super) async fn find(
    console: &Console,
    id: JobId,
    queue: Option<&QueueName>,
) -> Result<Option<JobRecord>, Fault> {
    let found = match queue {
        Some(queue) => console.inspector.get(queue, id).await,
        None => console.inspector.find(id).await,
    };
    found.map_err(|error| console.fault(&error))
}

pub(super) fn portrait(record: &JobRecord, now: u64) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<10}{}", escape::line(value));
    };
    line("Job", &record.id.to_string());
    line("Queue", record.queue.as_str());
    line("Kind", record.kind.as_str());
    line("State", record.state.as_str());
    line("Attempts", &attempts(record));
    line("Tenant", record.tenant.as_str());
    line("Topic", record.topic.as_str());
    let priority = match record.priority {
        Priority::High => "high",
        Priority::Normal => "normal",
        Priority::Low => "low",
    };
    line("Priority", priority);
    if let Some(key) = &record.key {
        line("Key", key.as_str());
    }
    if let Some(ms) = record.timeout_ms {
        line("Timeout", &format!("{} an attempt", Millis(ms)));
    }
    if let Some(policy) = record.retry {
        line("Pause", &pause(policy));
    }
    if let Some(worker) = &record.worker {
        line("Worker", worker);
    }
    line("Created", &age::seen_from(now, record.created_at));
    let times = [
        ("Due", record.due_at),
        ("Expires", record.expires_at),
        ("Started", record.started_at),
        ("Cancel", record.cancel_at),
        ("Finished", record.finished_at),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            line(name, &age::seen_from(now, time));
        }
    }
    if let Some(offset) = record.output_from {
        line("Output", &format!("after offset {offset} of its channel"));
    }
    if let Some(trace) = &record.trace {
        line("Trace", &trace.traceparent);
    }
    if let Some(error) = &record.error {
        // An error may have several lines of its own, such as a backtrace.
        for (n, part) in error.to_string().lines().enumerate() {
            line(if n == 0 { "Error" } else { "" }, part);
        }
        let place = error.backtrace.as_deref().unwrap_or_default();
        for (n, part) in place.lines().enumerate() {
            line(if n == 0 { "Where" } else { "" }, part);
        }
    }
    match &record.payload {
        Some(payload) => block(&mut text, "Payload", payload.get()),
        None => text.push_str("Payload   can't be read\n"),
    }
    if let Some(result) = &record.result {
        block(&mut text, "Result", result.get());
    }
    text
}

fn pause(policy: RetryPolicy) -> String {
    match policy {
        RetryPolicy::Fixed { delay_ms } => Millis(delay_ms).to_string(),
        RetryPolicy::Exponential {
            initial_ms,
            max_ms,
            jitter,
        } => format!(
            "{} doubling up to {}, jitter {jitter}",
            Millis(initial_ms),
            Millis(max_ms)
        ),
    }
}

fn attempts(record: &JobRecord) -> String {
    let spent = spent(record);
    let mut text = format!("{spent} of {}", record.max_attempts);
    if spent != record.attempt {
        let _ = write!(text, " (the latest is number {})", record.attempt);
    }
    text
}

/// JSON under its name; on the same line if it is short.
fn block(text: &mut String, name: &str, value: &str) {
    let value = json::pretty(value);
    let _ = if value.contains('\n') {
        writeln!(text, "{name}\n{value}")
    } else {
        writeln!(text, "{name:<10}{value}")
    };
}

#[cfg(test)]
mod tests {
    use protocol::JobRecord;

    use super::portrait;

    #[test]
    fn everything_is_said() {
        let mut record: JobRecord = serde_json::from_str(
            r#"{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","queue":"chat","kind":"say","state":"failed","tenant":"public",
            "topic":"lobby","priority":"high","attempt":4,"handed_back":1,"max_attempts":3,"worker":"w\u001b[2J",
            "created_at":1714979289123,"started_at":1714979290000,"finished_at":1714979291000,
            "expires_at":1714979389123,"cancel_at":1714979290500,"timeout_ms":30000,"key":"k-1","output_from":12,
            "retry":{"type":"exponential","initial_ms":1000,"max_ms":300000,"jitter":0.2},
            "trace":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
            "payload":{"msg":"hi"},"result":7,"error":{"code":"panic","message":"one\n  at \u0007two"}}"#,
        )
        .unwrap();
        let failure = record.error.take().unwrap();
        record.error = Some(failure.at("at say.rs:7\nat main.rs:1"));
        let expected = "\
Job       01ARZ3NDEKTSV4RRFFQ69G5FAV
Queue     chat
Kind      say
State     failed
Attempts  3 of 3 (the latest is number 4)
Tenant    public
Topic     lobby
Priority  high
Key       k-1
Timeout   30s an attempt
Pause     1s doubling up to 5m, jitter 0.2
Worker    w\\u{1b}[2J
Created   2024-05-06T07:08:09.123Z (3m 5s ago)
Expires   2024-05-06T07:09:49.123Z (1m 25s ago)
Started   2024-05-06T07:08:10.000Z (3m 4s ago)
Cancel    2024-05-06T07:08:10.500Z (3m 3s ago)
Finished  2024-05-06T07:08:11.000Z (3m 3s ago)
Output    after offset 12 of its channel
Trace     00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
Error     panic: one
            at \\u{7}two
Where     at say.rs:7
          at main.rs:1
Payload
{
  \"msg\": \"hi\"
}
Result    7
";
        assert_eq!(portrait(&record, 1_714_979_289_123 + 185_000), expected);
    }
}
