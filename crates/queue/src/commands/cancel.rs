//! `queue cancel`: stops jobs before or while they run.

use clap::Args;

use super::{
    change::{ChangeArgs, change},
    verb::Verb,
};
use crate::{console::Console, fault::Fault};

/// Options of `queue cancel`.
#[derive(Args, Clone, Debug)]
#[command(
    override_usage = "\
queue cancel [OPTIONS] <ID>...
       queue cancel [OPTIONS] --queue <QUEUE> [FILTERS]",
    after_help = "\
A job that waits or is delayed ends at once. Of an active one the worker is told: its handler has
a while to end, and the job's last event says how it did. --state is waiting, delayed or active.

Examples:
  queue cancel 01ARZ3NDEKTSV4RRFFQ69G5FAV
  queue cancel --queue chat --state waiting,delayed --tenant acme
  queue cancel --queue chat --state active --older-than 1h --dry-run
  queue cancel --queue chat --state waiting --all"
)]
pub struct CancelArgs {
    /// Which jobs, and what is kept of them.
    #[command(flatten)]
    pub change: ChangeArgs,
}

pub(crate) async fn cancel(console: &Console, args: CancelArgs) -> Result<(), Fault> {
    change(console, Verb::Cancel, args.change).await
}
