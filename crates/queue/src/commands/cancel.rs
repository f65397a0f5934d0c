//! `queue cancel`: stops jobs before or while they run.

use broker::QueueArgs;
use clap::Args;

use super::{change::change, selection::Selection, verb::Verb};
use crate::{console::Console, fault::Fault};

/// Options of `queue cancel`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
A job that waits or is delayed ends at once. Of an active one the worker is told: its handler has
a while to end, and the job's last event says how it did. --state is waiting, delayed or active.

Examples:
  queue cancel 01ARZ3NDEKTSV4RRFFQ69G5FAV
  queue cancel --queue chat --state waiting,delayed --tenant acme
  queue cancel --queue chat --state active --older-than 1h --dry-run
  queue cancel --queue chat --state waiting --all")]
pub struct CancelArgs {
    /// Which jobs.
    #[command(flatten)]
    pub select: Selection,
    /// What is kept of jobs that end, and of their logs.
    #[command(
        flatten,
        next_help_heading = "What is kept: as it is set for all processes"
    )]
    pub keep: QueueArgs,
}

pub(crate) async fn cancel(console: &Console, args: CancelArgs) -> Result<(), Fault> {
    change(console, Verb::Cancel, args.select, args.keep).await
}
