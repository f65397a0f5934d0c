//! `queue schedules`: all of them, one a line.

use comfy_table::Cell;
use protocol::{QueueName, ScheduleRecord};
use serde_json::json;

use super::{book, fault, portrait::times};
use crate::{
    console::Console,
    fault::Fault,
    table::{Look, add_cut_row, cut_to, table},
    text::{age, escape},
};

pub(super) async fn list(
    console: &Console,
    queue: Option<&QueueName>,
    json: bool,
) -> Result<(), Fault> {
    if let Some(queue) = queue {
        console.expect(queue, false).await?;
    }
    let schedules = book(console)
        .list(queue)
        .await
        .map_err(|error| fault(console, error))?;
    if json {
        return console.out.json(&json!({ "schedules": schedules }));
    }
    if schedules.is_empty() {
        return console.out.print("There are no schedules.\n");
    }
    let look = Look::of(&console.out);
    console.out.print(&listing(look, &schedules, age::now_ms()))
}

fn listing(look: Look, schedules: &[ScheduleRecord], now: u64) -> String {
    let mut table = table(look, &["QUEUE", "NAME", "NEXT", "LAST", "KIND", "WHEN"]);
    for record in schedules {
        let schedule = &record.schedule;
        let cells = vec![
            Cell::new(&schedule.queue),
            Cell::new(&schedule.name),
            Cell::new(next(record, now)),
            Cell::new(record.last.map_or_else(
                || "-".to_owned(),
                |last| format!("{} ago", age::span(now.saturating_sub(last.at))),
            )),
            Cell::new(&schedule.job.kind),
            Cell::new(escape::line(&times(schedule))).set_delimiter('\0'),
        ];
        add_cut_row(&mut table, cells);
    }
    cut_to(&mut table, look)
}

fn next(record: &ScheduleRecord, now: u64) -> String {
    match record.next_at {
        None => "-".to_owned(),
        _ if record.schedule.paused == Some(true) => "paused".to_owned(),
        Some(next) if next <= now => "due".to_owned(),
        Some(next) => format!("in {}", age::span(next - now)),
    }
}

#[cfg(test)]
mod tests {
    use protocol::{JobId, LastRun, Schedule, ScheduleRecord};

    use super::listing;
    use crate::table::Look;

    #[test]
    fn a_schedule_is_a_line() {
        let record = |text: &str, next_at, last| {
            let job = r#""job":{"kind":"report","payload":1}"#;
            let text = format!(r#"{{"queue":"chat",{text},{job}}}"#);
            ScheduleRecord {
                schedule: serde_json::from_str::<Schedule>(&text).unwrap(),
                next_at,
                last,
            }
        };
        let last = LastRun {
            at: 40_000,
            job: JobId::from_parts(1, 2),
        };
        let schedules = [
            record(
                r#""name":"a","when":{"cron":"0 0 9 * * *","zone":"Europe/Berlin"}"#,
                Some(160_000),
                Some(last),
            ),
            record(
                r#""name":"b","paused":true,"when":{"every_ms":5000}"#,
                Some(5),
                None,
            ),
            record(r#""name":"c","when":{"at":0}"#, None, None),
        ];
        let expected = "\
QUEUE  NAME  NEXT    LAST    KIND    WHEN
chat   a     in 1m   1m ago  report  0 0 9 * * * Europe/Berlin
chat   b     paused  -       report  every 5s
chat   c     -       -       report  at 1970-01-01T00:00:00.000Z
";
        assert_eq!(listing(Look::default(), &schedules, 100_000), expected);
    }
}
