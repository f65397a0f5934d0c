//! `cargo xtask scale`: asks how the queue bears size.
//!
//! Only prepares: what is measured and how it is judged is in the crate `e2e`.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::program;
use crate::server::Wanted;

/// Asks how the queue bears size: a million jobs, a long line, a busy neighbour. Takes some minutes; `--help` tells
/// the flags.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct ScaleArgs {
    /// Flags of the measurement: `--only fairness`, `--share 0.1`, `--json FILE`.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "FLAGS"
    )]
    flags: Vec<OsString>,
}

/// Builds, then asks on this terminal.
pub(crate) fn run(args: &ScaleArgs) -> anyhow::Result<ExitCode> {
    program::run("scale", Wanted::Redis, args.flags.iter().cloned())
}
