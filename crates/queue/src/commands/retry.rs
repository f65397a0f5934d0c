//! `queue retry`: runs failed or cancelled jobs again.

use broker::QueueArgs;
use clap::Args;

use super::{change::change, selection::Selection, verb::Verb};
use crate::{console::Console, fault::Fault};

/// Options of `queue retry`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Each has all its attempts again. --state is failed unless said otherwise, or cancelled.

Examples:
  queue retry 01ARZ3NDEKTSV4RRFFQ69G5FAV
  queue retry --queue chat --error timeout --older-than 10m --dry-run
  queue retry --queue chat --kind report --limit 100
  queue retry --queue chat --all --json | jq .done")]
pub struct RetryArgs {
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

pub(crate) async fn retry(console: &Console, args: RetryArgs) -> Result<(), Fault> {
    change(console, Verb::Retry, args.select, args.keep).await
}
