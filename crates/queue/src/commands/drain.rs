//! `queue drain`: cancels all that waits. Leaves alone what runs, and what comes while it is at it.

use broker::QueueArgs;
use clap::Args;
use protocol::{JobState, QueueName};

use super::{
    bulk::{Manner, bulk},
    filters::Filters,
    selection::Filter,
    verb::Verb,
};
use crate::{console::Console, fault::Fault};

/// Options of `queue drain`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Each job is cancelled and says so on its channel. What runs already goes on; pause the queue first
to have nothing more begin. Jobs that come while it drains stay.

Examples:
  queue drain chat --dry-run
  queue pause chat && queue drain chat --delayed")]
pub struct DrainArgs {
    /// The queue
    pub queue: QueueName,
    /// Also jobs that are delayed, or rest between two attempts
    #[arg(long)]
    pub delayed: bool,
    /// Change nothing, and say how many it would be
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
    /// What is kept of jobs that end, and of their logs.
    #[command(
        flatten,
        next_help_heading = "What is kept: as it is set for all processes"
    )]
    pub keep: QueueArgs,
}

pub(crate) async fn drain(console: &Console, args: DrainArgs) -> Result<(), Fault> {
    // What is delayed may come due meanwhile: looked at first, it is not missed.
    let mut states = vec![JobState::Waiting];
    if args.delayed {
        states.insert(0, JobState::Delayed);
    }
    let filter = Filter {
        queue: args.queue,
        states,
        filters: Filters::default(),
        limit: None,
    };
    let manner = Manner {
        dry_run: args.dry_run,
        json: args.json,
    };
    bulk(
        console,
        &console.control(args.keep),
        Verb::Drain,
        &filter,
        manner,
    )
    .await
}
