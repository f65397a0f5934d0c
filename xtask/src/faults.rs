//! `cargo xtask faults`: builds for release and runs the whole system under load and faults.
//!
//! Only prepares: what is done and judged is in the crate `e2e`.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::{redis, say, workspace};

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
    let redis_server = redis::server()?;
    say::step("building for release");
    let crates = ["-p", "server", "-p", "queue", "-p", "worker", "-p", "e2e"];
    workspace::run(workspace::cargo(&["build", "--release", "--bins"]).args(crates))?;

    // It stays in the caller's folder, so a relative path means what it says.
    let status = Command::new(workspace::target_dir()?.join("release").join("faults"))
        .env(redis::SERVER_VARIABLE, redis_server)
        .args(&args.flags)
        .status()
        .context("could not run the faults")?;
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    ))
}
