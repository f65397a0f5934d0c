//! `queue jobs`: lists jobs. Changes nothing.

use std::cmp::Reverse;

use clap::Args;
use comfy_table::Cell;
use protocol::{JobRecord, JobState, QueueName};
use serde_json::json;

use super::selection::states;
use crate::{
    console::Console,
    fault::Fault,
    output,
    table::{Look, add_cut_row, cut_to, table},
    text::{age, escape},
};

/// Options of `queue jobs`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  queue jobs --state failed --limit 20
  queue jobs --json | jq -r '.jobs[].id'")]
pub struct JobsArgs {
    /// Only jobs in this state
    #[arg(long, value_parser = states())]
    pub state: Option<JobState>,
    /// Only jobs of this queue
    #[arg(long)]
    pub queue: Option<QueueName>,
    /// How many jobs to list at most: the next to run, or the last that ended
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub limit: u16,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn jobs(console: &Console, args: &JobsArgs) -> Result<(), Fault> {
    let limit = usize::from(args.limit);
    let queues = console.queues(args.queue.as_ref()).await?;
    let mut records = Vec::new();
    for state in JobState::ALL {
        if args.state.is_none_or(|wanted| wanted == state) && records.len() < limit {
            records.extend(of_state(console, &queues, state, limit).await?);
        }
    }
    let more = records.len() >= limit;
    records.truncate(limit);
    if args.json {
        return console.out.json(&json!({ "jobs": records }));
    }
    if records.is_empty() {
        let state = args
            .state
            .map_or_else(String::new, |state| format!(" is {state}"));
        return console.out.print(&format!("No job{state}.\n"));
    }
    console
        .out
        .print(&listing(Look::of(&console.out), &records, age::now_ms()))?;
    if more {
        output::complain(&format!(
            "{limit} are shown, there may be more: see --limit"
        ));
    }
    Ok(())
}

/// The jobs of a state in all queues, in the order in which they will run or the other way round in which they ended.
async fn of_state(
    console: &Console,
    queues: &[QueueName],
    state: JobState,
    limit: usize,
) -> Result<Vec<JobRecord>, Fault> {
    let mut records = Vec::new();
    for queue in queues {
        let listed = console.inspector.list(queue, state, limit).await;
        records.extend(listed.map_err(|error| console.fault(&error))?);
    }
    match state {
        // Lines of different queues have no common order.
        JobState::Waiting => {}
        JobState::Delayed => records.sort_by_key(|record| record.due_at),
        JobState::Active => records.sort_by_key(|record| record.started_at),
        _ => records.sort_by_key(|record| Reverse(record.finished_at)),
    }
    Ok(records)
}

fn listing(look: Look, records: &[JobRecord], now: u64) -> String {
    let header = ["ID", "QUEUE", "KIND", "STATE", "ATTEMPT", "AGE", "ERROR"];
    let mut table = table(look, &header);
    for record in records {
        let error = record
            .error
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let cells = vec![
            Cell::new(record.id),
            Cell::new(&record.queue),
            Cell::new(&record.kind),
            Cell::new(record.state),
            Cell::new(format!("{}/{}", spent(record), record.max_attempts)),
            Cell::new(age::span(now.saturating_sub(record.created_at))),
            // Cut anywhere, not only between words: no cell holds this character.
            Cell::new(escape::line(&error)).set_delimiter('\0'),
        ];
        add_cut_row(&mut table, cells);
    }
    cut_to(&mut table, look)
}

/// How many attempts a job has used up: those that were handed back, or came before a retry by hand, don't count.
pub(super) const fn spent(record: &JobRecord) -> u32 {
    record.attempt.saturating_sub(record.handed_back)
}

#[cfg(test)]
mod tests {
    use protocol::JobRecord;

    use super::listing;
    use crate::table::Look;

    const RECORD: &str = r#"{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","queue":"chat","kind":"say","state":"failed",
        "tenant":"public","topic":"lobby","priority":"normal","attempt":4,"handed_back":1,"max_attempts":5,
        "created_at":1000,"error":{"code":"panic","message":"one\ntwo \u001b[31mthree four"}}"#;

    fn records() -> Vec<JobRecord> {
        vec![serde_json::from_str(RECORD).unwrap()]
    }

    #[test]
    fn one_job_is_one_line() {
        let expected = "\
ID                          QUEUE  KIND  STATE   ATTEMPT  AGE    ERROR
01ARZ3NDEKTSV4RRFFQ69G5FAV  chat   say   failed  3/5      3m 5s  panic: one\\ntwo \\u{1b}[31mthree four
";
        assert_eq!(listing(Look::default(), &records(), 186_000), expected);
    }

    #[test]
    fn a_narrow_terminal_cuts_the_error() {
        let look = Look {
            width: Some(80),
            colour: false,
        };
        let expected = "\
ID                          QUEUE  KIND  STATE   ATTEMPT  AGE    ERROR
01ARZ3NDEKTSV4RRFFQ69G5FAV  chat   say   failed  3/5      3m 5s  panic: one\\n…
";
        assert_eq!(listing(look, &records(), 186_000), expected);
    }
}
