//! `queue stats`: how many jobs are where, and what happened so far. Changes nothing.

use broker::QueueSettings;
use clap::Args;
use comfy_table::{Cell, CellAlignment};
use protocol::JobState;
use serde::Serialize;
use serde_json::json;

use super::tenants::shown;
use crate::{
    QueueStats,
    console::Console,
    fault::Fault,
    survey::survey,
    table::{Look, align_numbers, number, table, text},
};

/// Options of `queue stats`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  queue stats
  queue stats --json | jq '.queues[] | {queue, failed: .jobs.failed}'")]
pub struct StatsArgs {
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// A queue's figures and what is set for it, for programs.
#[derive(Serialize)]
struct WithSettings<'a> {
    #[serde(flatten)]
    stats: &'a QueueStats,
    settings: &'a QueueSettings,
}

pub(crate) async fn stats(console: &Console, args: &StatsArgs) -> Result<(), Fault> {
    let stats = survey(&console.inspector)
        .await
        .map_err(|error| console.fault(&error))?;
    let mut settings = Vec::with_capacity(stats.len());
    for QueueStats { queue, .. } in &stats {
        let set = console.inspector.settings(queue).await;
        settings.push(set.map_err(|error| console.fault(&error))?);
    }
    if args.json {
        let queues: Vec<_> = stats
            .iter()
            .zip(&settings)
            .map(|(stats, settings)| WithSettings { stats, settings })
            .collect();
        return console.out.json(&json!({ "queues": queues }));
    }
    if stats.is_empty() {
        let prefix = console.redis.prefix();
        return console.out.print(&format!(
            "No queue has had a job yet (key prefix `{prefix}`).\n"
        ));
    }
    let look = Look::of(&console.out);
    console.out.print(&format!(
        "{}\n{}{}",
        depths(look, &stats),
        totals(look, &stats),
        in_force(look, &stats, &settings)
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

/// What is set for queues for which anything is; nothing where nothing is.
fn in_force(look: Look, stats: &[QueueStats], settings: &[QueueSettings]) -> String {
    let header = [
        "LIMITS",
        "PAUSED",
        "WAITING",
        "BYTES",
        "ACTIVE",
        "RATE",
        "TENANT WAITING",
        "TENANT ACTIVE",
        "TENANT RATE",
    ];
    let mut table = table(look, &header);
    align_numbers(&mut table);
    let set = stats
        .iter()
        .zip(settings)
        .filter(|(_, settings)| **settings != QueueSettings::default());
    for (QueueStats { queue, .. }, settings) in set {
        let tenants = &settings.tenants;
        let cells = [
            if settings.paused { "yes" } else { "no" }.to_owned(),
            shown(settings.max_waiting, "-"),
            shown(settings.max_bytes, "-"),
            shown(settings.max_active, "-"),
            shown(settings.rate, "-"),
            shown(tenants.max_waiting, "-"),
            shown(tenants.max_active, "-"),
            shown(tenants.rate, "-"),
        ];
        let mut row = vec![Cell::new(queue)];
        row.extend(cells.map(|cell| Cell::new(cell).set_alignment(CellAlignment::Right)));
        table.add_row(row);
    }
    if table.row_count() == 0 {
        return String::new();
    }
    format!("\n{}", text(&table))
}

#[cfg(test)]
mod tests {
    use broker::{Counts, QueueSettings, Totals};
    use protocol::QueueName;

    use super::{depths, in_force, totals};
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
        let nothing = QueueSettings::default();
        assert_eq!(in_force(Look::default(), &stats, &[nothing]), "");
        let paused = QueueSettings {
            paused: true,
            max_active: Some(50),
            rate: "100/s".parse().ok(),
            ..nothing
        };
        let expected = "
LIMITS  PAUSED  WAITING  BYTES  ACTIVE   RATE  TENANT WAITING  TENANT ACTIVE  TENANT RATE
chat       yes        -      -      50  100/s               -              -            -
";
        assert_eq!(in_force(Look::default(), &stats, &[paused]), expected);
    }
}
