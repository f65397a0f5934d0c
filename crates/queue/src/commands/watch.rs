//! `queue watch`: the counts, again and again. Changes nothing, and goes on while Redis is away.

use std::time::Instant;

use clap::Args;
use protocol::QueueName;
use tokio::time::MissedTickBehavior;

use crate::{
    Millis, QueueStats, console::Console, fault::Fault, interrupt::stopped, rates::Rates,
    survey::survey,
};

mod frame;
mod line;

use frame::Frame;

/// Options of `queue watch`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
On a terminal each look is drawn over the last; `queue top` shows more there. In a pipe it is a
line. It goes on while Redis is away, once it was there.

Examples:
  queue watch chat --interval 5s
  queue watch --json | jq --unbuffered '.queues[].per_second'")]
pub struct WatchArgs {
    /// The queue, which may be none yet; all without
    pub queue: Option<QueueName>,
    /// How long to wait between two looks: 500ms, 1s, 1m
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = Millis::rest)]
    pub interval: Millis,
    /// Print one line of JSON a look, for programs
    #[arg(long)]
    pub json: bool,
}

/// What one look saw.
struct Look {
    at: Instant,
    queues: Vec<QueueStats>,
}

/// A queue, and how fast it moved since the last look; `None` at the first.
struct Moving<'a> {
    stats: &'a QueueStats,
    rates: Option<Rates>,
}

pub(crate) async fn watch(console: &Console, args: &WatchArgs) -> Result<(), Fault> {
    let stop = stopped()?;
    tokio::select! {
        result = look_on(console, args) => result,
        () = stop => Ok(()),
    }
}

async fn look_on(console: &Console, args: &WatchArgs) -> Result<(), Fault> {
    let mut ticks = tokio::time::interval(args.interval.duration());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut frame = Frame::default();
    let mut last: Option<Look> = None;
    loop {
        ticks.tick().await;
        let look = match survey(&console.inspector).await {
            Ok(mut queues) => {
                let wanted = args.queue.as_ref();
                queues.retain(|stats| wanted.is_none_or(|queue| *queue == stats.queue));
                Ok(Look {
                    at: Instant::now(),
                    queues,
                })
            }
            // Who starts to look at a Redis that is away most likely has the address wrong.
            Err(error) if last.is_none() => return Err(console.fault(&error)),
            Err(error) => Err(console.fault(&error).to_string()),
        };
        let seen = look
            .as_ref()
            .map(|look| moving(look, last.as_ref()))
            .map_err(String::as_str);
        if args.json {
            console.out.json(&line::json(seen))?;
        } else if console.out.is_terminal() {
            frame.draw(&console.out, seen)?;
        } else {
            console.out.print(&line::text(seen))?;
        }
        // Rates after an outage are those since before it.
        if let Ok(look) = look {
            last = Some(look);
        }
    }
}

fn moving<'a>(look: &'a Look, last: Option<&Look>) -> Vec<Moving<'a>> {
    let of = |stats: &'a QueueStats| {
        let before = last.and_then(|last| {
            let before = last
                .queues
                .iter()
                .find(|before| before.queue == stats.queue)?;
            Some(Rates::between(
                &before.totals,
                &stats.totals,
                look.at.duration_since(last.at),
            ))
        });
        Moving {
            stats,
            rates: before,
        }
    };
    look.queues.iter().map(of).collect()
}
