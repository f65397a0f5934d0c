//! `cargo xtask faults`: builds for release and runs the whole system under load and faults.
//!
//! Only prepares: what is done and judged is in the crate `e2e`.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::program;
use crate::server::Wanted;

/// Strikes the whole system under load and judges what became of every job; `--help` tells the flags.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct FaultsArgs {
    /// Flags of the fault run, such as `--jobs 20000 --seed 1 --json faults.json`.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "FLAGS"
    )]
    flags: Vec<OsString>,
}

/// Builds, then runs on this terminal.
pub(crate) fn run(args: &FaultsArgs) -> anyhow::Result<ExitCode> {
    program::run("faults", Wanted::Redis, args.flags.iter().cloned())
}
