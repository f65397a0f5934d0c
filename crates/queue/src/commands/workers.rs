//! `queue workers`: who runs a queue's jobs. Changes nothing.

use broker::WorkerStatus;
use clap::Args;
use comfy_table::Cell;
use protocol::{Kind, QueueName};
use serde::Serialize;
use serde_json::json;

use crate::{
    console::Console,
    fault::Fault,
    table::{Look, add_cut_row, cut_to, table},
    text::{age, escape},
};

/// Options of `queue workers`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
A worker is alive while its lease holds. The dead are known for an hour.

Examples:
  queue workers                  # of all queues
  queue workers chat --all       # the dead too
  queue workers --json | jq '[.workers[].active] | add'")]
pub struct WorkersArgs {
    /// The queue; all without
    pub queue: Option<QueueName>,
    /// Also those that are dead
    #[arg(long)]
    pub all: bool,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Row {
    queue: QueueName,
    #[serde(flatten)]
    status: WorkerStatus,
}

pub(crate) async fn workers(console: &Console, args: &WorkersArgs) -> Result<(), Fault> {
    let mut rows = Vec::new();
    for queue in console.queues(args.queue.as_ref()).await? {
        let workers = console
            .inspector
            .workers(&queue)
            .await
            .map_err(|error| console.fault(&error))?;
        let wanted = workers
            .into_iter()
            .filter(|worker| args.all || worker.alive);
        rows.extend(wanted.map(|status| Row {
            queue: queue.clone(),
            status,
        }));
    }
    if args.json {
        return console.out.json(&json!({ "workers": rows }));
    }
    if rows.is_empty() {
        return console.out.print(if args.all {
            "No worker.\n"
        } else {
            "No worker is alive: --all shows the dead.\n"
        });
    }
    console
        .out
        .print(&listing(Look::of(&console.out), &rows, age::now_ms()))
}

fn listing(look: Look, rows: &[Row], now: u64) -> String {
    let header = [
        "NAME",
        "QUEUE",
        "HOST",
        "PID",
        "VERSION",
        "ACTIVE",
        "LAST BEAT",
        "ALIVE",
        "KINDS",
    ];
    let mut table = table(look, &header);
    for Row { queue, status } in rows {
        let card = &status.card;
        let kinds = if status.kinds.is_empty() {
            "all".to_owned()
        } else {
            let kinds: Vec<_> = status.kinds.iter().map(Kind::as_str).collect();
            kinds.join(" ")
        };
        let cells = vec![
            Cell::new(escape::line(&status.name)),
            Cell::new(queue),
            Cell::new(escape::line(&card.host)),
            Cell::new(card.pid),
            Cell::new(escape::line(&card.version)),
            Cell::new(format!("{}/{}", card.active, card.concurrency)),
            Cell::new(format!(
                "{} ago",
                age::span(now.saturating_sub(status.beat_at))
            )),
            Cell::new(if status.alive { "yes" } else { "no" }),
            Cell::new(kinds).set_delimiter('\0'),
        ];
        add_cut_row(&mut table, cells);
    }
    cut_to(&mut table, look)
}

#[cfg(test)]
mod tests {
    use broker::{WorkerCard, WorkerStatus};

    use super::{Row, listing};
    use crate::table::Look;

    #[test]
    fn a_worker_is_a_line() {
        let row = |name: &str, kinds: &[&str], alive| Row {
            queue: "chat".parse().unwrap(),
            status: WorkerStatus {
                name: name.to_owned(),
                card: WorkerCard {
                    host: "h\u{1b}1".to_owned(),
                    pid: 42,
                    version: "0.1.0".to_owned(),
                    concurrency: 100,
                    active: 7,
                    started_at: 0,
                },
                kinds: kinds.iter().map(|kind| kind.parse().unwrap()).collect(),
                beat_at: 1_000,
                alive,
            },
        };
        let rows = [
            row("w-1", &["chat", "report"], true),
            row("w-2", &[], false),
        ];
        let expected = "\
NAME  QUEUE  HOST      PID  VERSION  ACTIVE  LAST BEAT  ALIVE  KINDS
w-1   chat   h\\u{1b}1  42   0.1.0    7/100   3s ago     yes    chat report
w-2   chat   h\\u{1b}1  42   0.1.0    7/100   3s ago     no     all
";
        assert_eq!(listing(Look::default(), &rows, 4_500), expected);
    }
}
