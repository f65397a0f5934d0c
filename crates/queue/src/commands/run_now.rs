//! `queue run-now`: puts delayed jobs in line before their time.

use clap::Args;

use super::{
    change::{ChangeArgs, change},
    verb::Verb,
};
use crate::{console::Console, fault::Fault};

/// Options of `queue run-now`.
#[derive(Args, Clone, Debug)]
#[command(
    override_usage = "\
queue run-now [OPTIONS] <ID>...
       queue run-now [OPTIONS] --queue <QUEUE> [FILTERS]",
    after_help = "\
A job is delayed because it was handed in so, or because it rests between two attempts.

Examples:
  queue run-now 01ARZ3NDEKTSV4RRFFQ69G5FAV
  queue run-now --queue chat --error timeout --dry-run
  queue run-now --queue chat --all"
)]
pub struct RunNowArgs {
    /// Which jobs, and what is kept of them.
    #[command(flatten)]
    pub change: ChangeArgs,
}

pub(crate) async fn run_now(console: &Console, args: RunNowArgs) -> Result<(), Fault> {
    change(console, Verb::RunNow, args.change).await
}
