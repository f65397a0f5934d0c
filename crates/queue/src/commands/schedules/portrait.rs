//! `queue schedules show` and `next`: one schedule, and its times to come. Changes nothing.

use std::fmt::Write as _;

use protocol::{Missed, Schedule, ScheduleRecord, When};
use serde_json::json;

use super::{NextArgs, OneArgs, book, fault};
use crate::{
    Millis,
    console::Console,
    fault::Fault,
    text::{age, escape, json as pretty},
};

pub(super) async fn show(console: &Console, one: &OneArgs) -> Result<(), Fault> {
    let record = book(console)
        .get(&one.queue, &one.name)
        .await
        .map_err(|error| fault(console, error))?;
    if one.json {
        return console.out.json(&record);
    }
    console.out.print(&portrait(&record, age::now_ms()))
}

pub(super) async fn next(console: &Console, args: &NextArgs) -> Result<(), Fault> {
    let OneArgs { name, queue, json } = &args.one;
    let times = book(console)
        .next(queue, name, usize::from(args.count))
        .await
        .map_err(|error| fault(console, error))?;
    if *json {
        return console
            .out
            .json(&json!({ "queue": queue, "name": name, "next": times }));
    }
    let lines: Vec<_> = times
        .iter()
        .map(|time| age::rfc3339(*time) + "\n")
        .collect();
    console.out.print(&lines.concat())
}

/// The times of a schedule as people say them.
pub(super) fn times(schedule: &Schedule) -> String {
    match &schedule.when {
        When::Cron { cron, zone } => format!("{cron} {zone}"),
        When::Every { every_ms, from } => {
            let every = format!("every {}", Millis(*every_ms));
            from.map_or(every.clone(), |from| {
                format!("{every} from {}", age::rfc3339(from))
            })
        }
        When::At { at } => format!("at {}", age::rfc3339(*at)),
    }
}

fn portrait(record: &ScheduleRecord, now: u64) -> String {
    let schedule = &record.schedule;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<8}  {}", escape::line(value));
    };
    line("Name", schedule.name.as_str());
    line("Queue", schedule.queue.as_str());
    line("When", &times(schedule));
    let paused = if schedule.paused == Some(true) {
        ", but it is paused"
    } else {
        ""
    };
    let next = record.next_at.map_or_else(
        || "never again".to_owned(),
        |next| age::seen_from(now, next) + paused,
    );
    line("Next", &next);
    if let Some(last) = record.last {
        let at = age::seen_from(now, last.at);
        line("Last", &format!("{at}, as job {}", last.job));
    }
    let missed = match schedule.missed {
        Missed::Skip => "skipped",
        Missed::CatchUp => "caught up with",
    };
    line("Missed", missed);
    if let Some(source) = &schedule.source {
        line("File", source.as_str());
    }
    line("Kind", schedule.job.kind.as_str());
    line("Tenant", schedule.job.tenant.as_str());
    let _ = writeln!(
        text,
        "\nPayload\n{}",
        pretty::pretty(schedule.job.payload.get())
    );
    text
}

#[cfg(test)]
mod tests {
    use protocol::ScheduleRecord;

    use super::portrait;

    #[test]
    fn a_portrait_says_what_there_is_to_say() {
        let text = r#"{"name":"a","queue":"chat","paused":true,"source":"f.toml","when":{"every_ms":60000,"from":0},
            "job":{"kind":"report","payload":{"a":1}}}"#;
        let record = ScheduleRecord {
            schedule: serde_json::from_str(text).unwrap(),
            next_at: Some(60_000),
            last: None,
        };
        let expected = "\
Name      a
Queue     chat
When      every 1m from 1970-01-01T00:00:00.000Z
Next      1970-01-01T00:01:00.000Z (in 1m), but it is paused
Missed    skipped
File      f.toml
Kind      report
Tenant    public

Payload
{
  \"a\": 1
}
";
        assert_eq!(portrait(&record, 0), expected);
    }
}
