//! `queue stats`: how many jobs are where, and what happened so far. Changes nothing.

use clap::Args;
use comfy_table::Cell;
use protocol::JobState;
use serde_json::json;

use crate::{
    QueueStats,
    console::Console,
    fault::Fault,
    survey::survey,
    table::{Look, align_numbers, number, table, text},
};

/// Options of `queue stats`.
#[derive(Args, Clone, Debug)]
pub struct StatsArgs {
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn stats(console: &Console, args: &StatsArgs) -> Result<(), Fault> {
    let stats = survey(&console.inspector)
        .await
        .map_err(|error| console.fault(&error))?;
    if args.json {
        return console.out.json(&json!({ "queues": stats }));
    }
    if stats.is_empty() {
        let prefix = console.redis.prefix();
        return console.out.print(&format!(
            "No queue has had a job yet (key prefix `{prefix}`).\n"
        ));
    }
    let look = Look::of(&console.out);
    console.out.print(&format!(
        "{}\n{}",
        depths(look, &stats),
        totals(look, &stats)
    ))
}

fn depths(look: Look, stats: &[QueueStats]) -> String {
    let header = [
        "JOBS NOW",
        "WAITING",
        "DELAYED",
        "ACTIVE",
        "COMPLETED",
        "FAILED",
        "CANCELLED",
    ];
    let mut table = table(look, &header);
    align_numbers(&mut table);
    for QueueStats { queue, jobs, .. } in stats {
        let mut row = vec![Cell::new(queue)];
        row.extend(JobState::ALL.map(|state| number(jobs.get(state), state == JobState::Failed)));
        table.add_row(row);
    }
    text(&table)
}

fn totals(look: Look, stats: &[QueueStats]) -> String {
    let header = [
        "SO FAR",
        "ENQUEUED",
        "COMPLETED",
        "FAILED",
        "RETRIED",
        "HANDED BACK",
        "LOST",
        "STALE",
    ];
    let mut table = table(look, &header);
    align_numbers(&mut table);
    for QueueStats { queue, totals, .. } in stats {
        table.add_row([
            Cell::new(queue),
            number(totals.enqueued, false),
            number(totals.completed, false),
            number(totals.failed, true),
            number(totals.retried, false),
            number(totals.handed_back, false),
            number(totals.lost, true),
            number(totals.stale, true),
        ]);
    }
    text(&table)
}

#[cfg(test)]
mod tests {
    use broker::{Counts, Totals};
    use protocol::QueueName;

    use super::{depths, totals};
    use crate::{QueueStats, table::Look};

    #[test]
    fn both_tables_read_as_expected() {
        let stats = [QueueStats {
            queue: QueueName::new("chat").unwrap(),
            jobs: Counts {
                waiting: 1_234,
                failed: 2,
                ..Counts::default()
            },
            totals: Totals {
                enqueued: 56_789,
                lost: 1,
                ..Totals::default()
            },
        }];
        let expected = "\
JOBS NOW  WAITING  DELAYED  ACTIVE  COMPLETED  FAILED  CANCELLED
chat         1234        0       0          0       2          0
";
        assert_eq!(depths(Look::default(), &stats), expected);
        let expected = "\
SO FAR  ENQUEUED  COMPLETED  FAILED  RETRIED  HANDED BACK  LOST  STALE
chat       56789          0       0        0            0     1      0
";
        assert_eq!(totals(Look::default(), &stats), expected);
    }
}
