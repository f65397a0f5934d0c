//! `queue delete`: forgets jobs, with their results and logs.

use clap::Args;

use super::{
    change::{ChangeArgs, change},
    verb::Verb,
};
use crate::{console::Console, fault::Fault};

/// Options of `queue delete`.
#[derive(Args, Clone, Debug)]
#[command(
    override_usage = "\
queue delete [OPTIONS] <ID>...
       queue delete [OPTIONS] --queue <QUEUE> [FILTERS]",
    after_help = "\
One that still waits is cancelled first; an active one is left alone. --state is any but active.

Examples:
  queue delete 01ARZ3NDEKTSV4RRFFQ69G5FAV
  queue delete --queue chat --state completed,failed --older-than 7d --dry-run
  queue delete --queue chat --state failed --error undecodable
  queue delete --queue chat --state cancelled --all"
)]
pub struct DeleteArgs {
    /// Which jobs, and what is kept of them.
    #[command(flatten)]
    pub change: ChangeArgs,
}

pub(crate) async fn delete(console: &Console, args: DeleteArgs) -> Result<(), Fault> {
    change(console, Verb::Delete, args.change).await
}
