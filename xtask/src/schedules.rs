//! `cargo xtask schedules`: kills managers at random, and looks for every run of every schedule.
//!
//! Only prepares: what is done and how it is judged is in the crate `e2e`.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::program;
use crate::server::Wanted;

/// Kills managers at random while schedules run, and looks for every run. Takes ten minutes; `--help` tells the flags.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct SchedulesArgs {
    /// Flags of the trial: `--minutes 1`, `--schedules 100`, `--every 10`, `--seed 7`, `--json FILE`.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "FLAGS"
    )]
    flags: Vec<OsString>,
}

/// Builds, then tries on this terminal.
pub(crate) fn run(args: &SchedulesArgs) -> anyhow::Result<ExitCode> {
    program::run("schedules", Wanted::Redis, args.flags.iter().cloned())
}
