//! `cargo xtask rolling`: builds for release and restarts all servers and workers while clients follow streams.
//!
//! Only prepares: what is done and judged is in the crate `e2e`.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::program;
use crate::server::Wanted;

/// Restarts all servers and workers, one after the other, while 500 clients follow streams, and compares what each got with
/// the logs. Takes a minute; `--help` tells the flags.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct RollingArgs {
    /// Flags of the trial: `--clients 100`, `--drain-window-ms 2000`, `--json FILE`.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "FLAGS"
    )]
    flags: Vec<OsString>,
}

/// Builds, then tries on this terminal.
pub(crate) fn run(args: &RollingArgs) -> anyhow::Result<ExitCode> {
    program::run("rolling", Wanted::Redis, args.flags.iter().cloned())
}
