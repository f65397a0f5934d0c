//! `queue jobs`: lists jobs. Changes nothing.

use std::cmp::Reverse;

use broker::JobFilter;
use clap::Args;
use comfy_table::Cell;
use protocol::{JobRecord, JobState, QueueName};
use serde_json::json;

use super::{filters::Filters, selection::states};
use crate::{
    console::Console,
    fault::Fault,
    output,
    table::{Look, add_cut_row, cut_to, table},
    text::{age, escape},
};

mod cursor;
mod pages;

pub use cursor::Cursor;
use pages::Pages;

/// How many jobs a page of all has.
const PAGE: usize = 500;

/// Options of `queue jobs`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Those that are over come from the newest, others from the next. Payloads and results are left out:
see `queue job`. With --json, `next` is the --cursor with which the jobs of one queue go on, and
`more` says whether there may be more; with --all each page is a line.

Examples:
  queue jobs --state failed --limit 20
  queue jobs --queue chat --state failed --text 'no route' --newer-than 1h
  queue jobs --queue chat --tenant acme --kind report --all
  queue jobs --json | jq -r '.jobs[].id'")]
pub struct JobsArgs {
    /// Only jobs of this queue
    #[arg(long)]
    pub queue: Option<QueueName>,
    /// Only jobs in this state, or in several with commas between
    #[arg(long, value_delimiter = ',', value_parser = states(), help_heading = "Filters")]
    pub state: Vec<JobState>,
    /// What must be true of them.
    #[command(flatten)]
    pub filters: Filters,
    /// How many jobs to list at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub limit: u16,
    /// List all of them, page by page, queue by queue
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    /// Where to go on, as a list of the same queue said
    #[arg(long, requires = "queue")]
    pub cursor: Option<Cursor>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn jobs(console: &Console, args: &JobsArgs) -> Result<(), Fault> {
    let queues = console.queues(args.queue.as_ref()).await?;
    let now = console.inspector.now().await;
    let filter = args.filters.at(now.map_err(|error| console.fault(&error))?);
    // In the order of a job's life, each once.
    let states: Vec<_> = JobState::ALL
        .into_iter()
        .filter(|state| args.state.is_empty() || args.state.contains(state))
        .collect();
    if args.all {
        return all(console, args, &queues, &states, &filter).await;
    }
    let limit = usize::from(args.limit);
    let (records, more, next) = match queues.as_slice() {
        [queue] => {
            let after = args.cursor.clone();
            let mut pages = Pages::of(console, queue, &states, &filter, after);
            let records = pages.up_to(limit).await?;
            (records, pages.has_more(), pages.next())
        }
        queues => {
            let records = merged(console, queues, &states, &filter, limit).await?;
            let more = records.len() >= limit;
            (records, more, None)
        }
    };
    if args.json {
        return console
            .out
            .json(&json!({ "jobs": records, "more": more, "next": next }));
    }
    if records.is_empty() {
        return console.out.print(&none(args));
    }
    let look = Look::of(&console.out);
    let listed = listing(look, &records, age::now_ms(), &mut None);
    console.out.print(&listed)?;
    if more {
        let go_on = next.map_or_else(String::new, |next| format!(" or --cursor {next}"));
        output::complain(&format!(
            "{} are shown, there may be more: see --limit, --all{go_on}",
            records.len()
        ));
    }
    Ok(())
}

fn none(args: &JobsArgs) -> String {
    let states: Vec<_> = args.state.iter().map(|state| state.as_str()).collect();
    match states.as_slice() {
        _ if args.filters.narrow() => "No job fits the filters.\n".to_owned(),
        [] => "No job.\n".to_owned(),
        states => format!("No job is {}.\n", states.join(" or ")),
    }
}

/// All jobs, without ever holding more than a page.
async fn all(
    console: &Console,
    args: &JobsArgs,
    queues: &[QueueName],
    states: &[JobState],
    filter: &JobFilter,
) -> Result<(), Fault> {
    let look = Look::of(&console.out);
    let mut widths = None;
    for (n, queue) in queues.iter().enumerate() {
        let last = n + 1 == queues.len();
        let mut pages = Pages::of(console, queue, states, filter, args.cursor.clone());
        loop {
            let records = pages.up_to(PAGE).await?;
            let more = pages.has_more();
            if args.json {
                let next = pages.next();
                console
                    .out
                    .json(&json!({ "jobs": records, "more": more || !last, "next": next }))?;
            } else if !records.is_empty() {
                let listed = listing(look, &records, age::now_ms(), &mut widths);
                console.out.print(&listed)?;
            }
            if !more {
                break;
            }
        }
    }
    if args.json && queues.is_empty() {
        return console
            .out
            .json(&json!({ "jobs": [], "more": false, "next": null }));
    }
    if !args.json && widths.is_none() {
        return console.out.print(&none(args));
    }
    Ok(())
}

/// The first jobs of several queues, state by state, in the order in which they will run or the other way round in
/// which they ended.
async fn merged(
    console: &Console,
    queues: &[QueueName],
    states: &[JobState],
    filter: &JobFilter,
    limit: usize,
) -> Result<Vec<JobRecord>, Fault> {
    let mut all = Vec::new();
    for state in states {
        if all.len() >= limit {
            break;
        }
        let mut records = Vec::new();
        for queue in queues {
            let states = std::slice::from_ref(state);
            let mut pages = Pages::of(console, queue, states, filter, None);
            records.extend(pages.up_to(limit).await?);
        }
        match state {
            // Lines of different queues have no common order.
            JobState::Waiting => {}
            JobState::Delayed => records.sort_by_key(|record| record.due_at),
            JobState::Active => records.sort_by_key(|record| record.started_at),
            _ => records.sort_by_key(|record| Reverse(record.finished_at)),
        }
        all.extend(records);
    }
    all.truncate(limit);
    Ok(all)
}

/// How wide the columns of an earlier page were, so that those of the next stand below them.
type Widths = Option<[usize; 6]>;

/// A page as a table; with a header only where none came before.
fn listing(look: Look, records: &[JobRecord], now: u64, widths: &mut Widths) -> String {
    let header = ["ID", "QUEUE", "KIND", "STATE", "ATTEMPT", "AGE", "ERROR"];
    let rows: Vec<_> = records.iter().map(|record| cells(record, now)).collect();
    let wide = |text: &str| text.chars().count();
    let first = widths.is_none();
    let widths = widths.get_or_insert_default();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = wide(cell).max(*width);
        }
    }
    let mut table = table(look, &header);
    for row in rows {
        let [cells @ .., error] = row;
        let mut cells: Vec<_> = cells
            .iter()
            .zip(*widths)
            .map(|(cell, width)| Cell::new(format!("{cell:<width$}")))
            .collect();
        // Cut anywhere, not only between words: no cell holds this character.
        cells.push(Cell::new(error).set_delimiter('\0'));
        add_cut_row(&mut table, cells);
    }
    let text = cut_to(&mut table, look);
    match text.split_once('\n') {
        Some((_, rest)) if !first => rest.to_owned(),
        _ => text,
    }
}

fn cells(record: &JobRecord, now: u64) -> [String; 7] {
    let error = record.error.as_ref().map(ToString::to_string);
    [
        record.id.to_string(),
        record.queue.to_string(),
        record.kind.to_string(),
        record.state.to_string(),
        format!("{}/{}", spent(record), record.max_attempts),
        age::span(now.saturating_sub(record.created_at)),
        escape::line(&error.unwrap_or_default()).into_owned(),
    ]
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
        assert_eq!(
            listing(Look::default(), &records(), 186_000, &mut None),
            expected
        );
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
        assert_eq!(listing(look, &records(), 186_000, &mut None), expected);
    }

    #[test]
    fn later_pages_stand_below_the_first() {
        let mut widths = None;
        let mut long = records();
        long[0].kind = "a.long.kind".parse().unwrap();
        let first = listing(Look::default(), &long, 186_000, &mut widths);
        let second = listing(Look::default(), &records(), 186_000, &mut widths);
        assert_eq!((first.lines().count(), second.lines().count()), (2, 1));
        let column = |text: &str| text.lines().last().unwrap().find("failed");
        assert_eq!(column(&first), column(&second));
    }
}
