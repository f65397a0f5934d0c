//! `queue delete`: forgets jobs, with their results and logs.

use broker::QueueArgs;
use clap::Args;

use super::{change::change, selection::Selection, verb::Verb};
use crate::{console::Console, fault::Fault};

/// Options of `queue delete`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
One that still waits is cancelled first; an active one is left alone. --state is any but active.

Examples:
  queue delete 01ARZ3NDEKTSV4RRFFQ69G5FAV
  queue delete --queue chat --state completed,failed --older-than 7d --dry-run
  queue delete --queue chat --state failed --error undecodable
  queue delete --queue chat --state cancelled --all")]
pub struct DeleteArgs {
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

pub(crate) async fn delete(console: &Console, args: DeleteArgs) -> Result<(), Fault> {
    change(console, Verb::Delete, args.select, args.keep).await
}
