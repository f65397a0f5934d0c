//! `queue priority`: moves jobs that wait, or will, to another line.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use protocol::Priority;

use super::{
    change::{ChangeArgs, change},
    verb::Verb,
};
use crate::{console::Console, fault::Fault};

/// Options of `queue priority`.
#[derive(Args, Clone, Debug)]
#[command(
    override_usage = "\
queue priority [OPTIONS] <PRIORITY> <ID>...
       queue priority [OPTIONS] <PRIORITY> --queue <QUEUE> [FILTERS]",
    after_help = "\
In their new line jobs stand by when they came in. --state is waiting and delayed unless said
otherwise.

Examples:
  queue priority high 01ARZ3NDEKTSV4RRFFQ69G5FAV
  queue priority low --queue chat --tenant acme --dry-run
  queue priority normal --queue chat --state delayed --all"
)]
pub struct PriorityArgs {
    /// Which line they are to wait in
    #[arg(value_name = "PRIORITY", value_parser = priorities())]
    pub priority: Priority,
    /// Which jobs, and what is kept of them.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// The names of all priorities.
pub(super) fn priorities() -> impl TypedValueParser<Value = Priority> {
    PossibleValuesParser::new(["high", "normal", "low"]).map(|name| match name.as_str() {
        "high" => Priority::High,
        "low" => Priority::Low,
        _ => Priority::Normal,
    })
}

pub(crate) async fn priority(console: &Console, args: PriorityArgs) -> Result<(), Fault> {
    change(console, Verb::Priority(args.priority), args.change).await
}
