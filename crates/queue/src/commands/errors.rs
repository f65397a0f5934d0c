//! `queue errors`: what went wrong lately, failed jobs that say the same put together. Changes nothing.

use broker::{ErrorGroup, Errors};
use clap::Args;
use comfy_table::Cell;
use protocol::{Kind, QueueName};
use serde::Serialize;
use serde_json::json;

use crate::{
    console::Console,
    fault::Fault,
    output,
    table::{Look, add_cut_row, cut_to, number, table},
    text::{age, escape},
};

/// Options of `queue errors`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Of each queue the newest 2000 failed jobs are looked at. In an error numbers and ids, which differ
from job to job, are shown as #.

Examples:
  queue errors
  queue errors chat --json | jq '.queues[].groups[0].example'
  queue jobs --state failed --text 'no route to host'    # the jobs of one")]
pub struct ErrorsArgs {
    /// The queue; all without
    pub queue: Option<QueueName>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct OfQueue {
    queue: QueueName,
    #[serde(flatten)]
    errors: Errors,
}

pub(crate) async fn errors(console: &Console, args: &ErrorsArgs) -> Result<(), Fault> {
    let mut queues = Vec::new();
    for queue in console.queues(args.queue.as_ref()).await? {
        let errors = console.inspector.errors(&queue).await;
        let errors = errors.map_err(|error| console.fault(&error))?;
        queues.push(OfQueue { queue, errors });
    }
    if args.json {
        return console.out.json(&json!({ "queues": queues }));
    }
    if queues.iter().all(|of| of.errors.groups.is_empty()) {
        return console.out.print("No job is failed.\n");
    }
    let look = Look::of(&console.out);
    console.out.print(&listing(look, &queues, age::now_ms()))?;
    for OfQueue { queue, errors } in &queues {
        let Errors { looked, of, .. } = errors;
        if looked < of {
            output::complain(&format!(
                "queue {queue} has {of} failed jobs: these are the newest {looked}"
            ));
        }
    }
    Ok(())
}

fn listing(look: Look, queues: &[OfQueue], now: u64) -> String {
    let header = ["COUNT", "QUEUE", "KINDS", "LAST", "EXAMPLE", "ERROR"];
    let mut table = table(look, &header);
    for OfQueue { queue, errors } in queues {
        for group in &errors.groups {
            add_cut_row(&mut table, row(queue, group, now));
        }
    }
    cut_to(&mut table, look)
}

fn row(queue: &QueueName, group: &ErrorGroup, now: u64) -> Vec<Cell> {
    let kinds: Vec<_> = group.kinds.iter().map(Kind::as_str).collect();
    let error = format!("{}: {}", group.code, group.message);
    vec![
        number(group.count, false),
        Cell::new(queue),
        Cell::new(kinds.join(" ")),
        Cell::new(format!(
            "{} ago",
            age::span(now.saturating_sub(group.last_at))
        )),
        Cell::new(group.example),
        // Cut anywhere, not only between words: no cell holds this character.
        Cell::new(escape::line(&error)).set_delimiter('\0'),
    ]
}

#[cfg(test)]
mod tests {
    use broker::{ErrorGroup, Errors};
    use protocol::FailureCode;

    use super::{OfQueue, listing};
    use crate::table::Look;

    #[test]
    fn a_group_is_a_line() {
        let group = ErrorGroup {
            code: FailureCode::Panic,
            message: "no route to #\u{7}".to_owned(),
            count: 12,
            kinds: vec!["say".parse().unwrap(), "mail".parse().unwrap()],
            first_at: 0,
            last_at: 1_000,
            example: "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        };
        let queues = [OfQueue {
            queue: "chat".parse().unwrap(),
            errors: Errors {
                looked: 12,
                of: 12,
                groups: vec![group],
            },
        }];
        let expected = "\
COUNT  QUEUE  KINDS     LAST       EXAMPLE                     ERROR
   12  chat   say mail  3m 5s ago  01ARZ3NDEKTSV4RRFFQ69G5FAV  panic: no route to #\\u{7}
";
        assert_eq!(listing(Look::default(), &queues, 186_000), expected);
    }
}
