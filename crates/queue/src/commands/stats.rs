//! `queue stats`: how many jobs are where, how it goes, and what happened so far or lately. Changes nothing.

use broker::{MINUTE_MS, QueueSettings, Vitals};
use clap::Args;
use protocol::QueueName;
use serde::Serialize;
use serde_json::json;

use crate::{
    Millis, QueueStats, console::Console, fault::Fault, output, survey::survey, table::Look,
    text::age,
};

mod history;
mod tables;

use history::History;

/// How many bars a table has at most, and points a program gets.
const BARS: u64 = 24;
const POINTS: u64 = 60;

/// Options of `queue stats`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
How long jobs wait and run is that of the newest 250 that completed. What happened --since a time
comes from what running managers keep each minute, for three days.

Examples:
  queue stats
  queue stats chat --since 1h
  queue stats --json | jq '.queues[] | {queue, failed: .jobs.failed}'
  queue stats --since 1d --json | jq '.queues[].history.kinds'")]
pub struct StatsArgs {
    /// The queue; all without
    pub queue: Option<QueueName>,
    /// Show what happened in this time, and to which kinds: 10m, 1h, 3d
    #[arg(long, value_name = "TIME", value_parser = Millis::kept)]
    pub since: Option<Millis>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// All that is shown of a queue.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    stats: QueueStats,
    settings: QueueSettings,
    #[serde(flatten)]
    vitals: Vitals,
    /// Nothing unless it was asked for and anything is known.
    history: Option<History>,
}

pub(crate) async fn stats(console: &Console, args: &StatsArgs) -> Result<(), Fault> {
    // A name that no queue has is said to be one.
    if let Some(queue) = &args.queue {
        console.expect(queue, false).await?;
    }
    let stats = survey(&console.inspector)
        .await
        .map_err(|error| console.fault(&error))?;
    let mut queues = Vec::with_capacity(stats.len());
    for stats in stats {
        if args
            .queue
            .as_ref()
            .is_none_or(|queue| *queue == stats.queue)
        {
            queues.push(look(console, args, stats).await?);
        }
    }
    if args.json {
        return console.out.json(&json!({ "queues": queues }));
    }
    if queues.is_empty() {
        let prefix = console.redis.prefix();
        return console.out.print(&format!(
            "No queue has had a job yet (key prefix `{prefix}`).\n"
        ));
    }
    let look = Look::of(&console.out);
    let happened = match args.since {
        Some(since) => tables::lately(look, &queues, since),
        None => tables::so_far(look, &queues),
    };
    let shown = [
        tables::depths(look, &queues),
        tables::times(look, &queues),
        happened,
        tables::in_force(look, &queues),
    ];
    let shown: Vec<_> = shown
        .into_iter()
        .filter(|table| !table.is_empty())
        .collect();
    console.out.print(&shown.join("\n"))?;
    if let Some(since) = args.since {
        short_of(&queues, since);
    }
    Ok(())
}

async fn look(console: &Console, args: &StatsArgs, stats: QueueStats) -> Result<Shown, Fault> {
    let fault = |error| console.fault(&error);
    let inspector = &console.inspector;
    let settings = inspector.settings(&stats.queue).await.map_err(fault)?;
    let vitals = inspector.vitals(&stats.queue).await.map_err(fault)?;
    let history = match args.since {
        None => None,
        Some(Millis(ms)) => {
            let since = inspector.now().await.map_err(fault)?.saturating_sub(ms);
            // The minute that had begun by then.
            let since = since - since % MINUTE_MS;
            let minutes = inspector.minutes(&stats.queue, since).await;
            let most = if args.json { POINTS } else { BARS };
            History::of(&minutes.map_err(fault)?, most)
        }
    };
    Ok(Shown {
        stats,
        settings,
        vitals,
        history,
    })
}

/// Says of which queues less is known than was asked for.
fn short_of(queues: &[Shown], Millis(since): Millis) {
    for Shown { stats, history, .. } in queues {
        let queue = &stats.queue;
        match history {
            None => output::complain(&format!(
                "nothing is known of queue {queue} yet: a running manager keeps each minute"
            )),
            Some(History { from, to, .. }) if to - from < since => {
                let known = to - from;
                // Whole minutes, where there is one.
                let known = age::span(known - known % MINUTE_MS.min(known.max(1)));
                output::complain(&format!("of queue {queue} the last {known} are known"));
            }
            Some(_) => {}
        }
    }
}
