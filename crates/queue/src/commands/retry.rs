//! `queue retry`: runs failed or cancelled jobs again.

use clap::Args;

use super::{
    change::{ChangeArgs, change},
    verb::Verb,
};
use crate::{console::Console, fault::Fault};

/// Options of `queue retry`.
#[derive(Args, Clone, Debug)]
#[command(
    override_usage = "\
queue retry [OPTIONS] <ID>...
       queue retry [OPTIONS] --queue <QUEUE> [FILTERS]",
    after_help = "\
Each has all its attempts again. Without --state those are meant that failed; it may also be
cancelled.

Examples:
  queue retry 01ARZ3NDEKTSV4RRFFQ69G5FAV
  queue retry --queue chat --error timeout --older-than 10m --dry-run
  queue retry --queue chat --kind report --limit 100
  queue retry --queue chat --all --json | jq .done"
)]
pub struct RetryArgs {
    /// Which jobs, and what is kept of them.
    #[command(flatten)]
    pub change: ChangeArgs,
}

pub(crate) async fn retry(console: &Console, args: RetryArgs) -> Result<(), Fault> {
    change(console, Verb::Retry, args.change).await
}
