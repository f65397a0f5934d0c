//! `cargo xtask bench`: builds for release and runs the benchmark of the whole system.
//!
//! Only prepares: what is measured is in the crate `e2e`.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::server::{self, Wanted};
use crate::{say, workspace};

/// Measures the whole system: release binaries, a private Redis.
#[derive(clap::Args)]
pub(crate) struct BenchArgs {
    /// A short run, for a first impression.
    #[arg(long)]
    quick: bool,
    /// Write the figures to this file too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// More flags for the benchmark.
    #[arg(last = true, value_name = "FLAGS")]
    extra: Vec<String>,
}

/// Builds, then runs the benchmark on this terminal.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let server = server::get(Wanted::Redis)?;
    say::step("building for release");
    let crates = ["-p", "server", "-p", "queue", "-p", "worker", "-p", "e2e"];
    workspace::run(workspace::cargo(&["build", "--release", "--bins"]).args(crates))?;

    let mut bench = Command::new(workspace::target_dir()?.join("release").join("bench"));
    bench.env(server::VARIABLE, &server.path);
    if args.quick {
        bench.arg("--quick");
    }
    if let Some(file) = &args.json {
        // The benchmark stays in the caller's folder, so a relative path means what it says.
        bench.arg("--json").arg(file);
    }
    bench.args(&args.extra);
    let status = bench.status().context("could not run the benchmark")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
