//! `cargo xtask bench`: builds for release and runs the benchmark of the system and its peers.
//!
//! Only prepares: what is measured is in the crate `e2e`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::program;
use crate::server::Wanted;
use crate::workspace;

/// Measures the system and its peers in turn: release binaries, private Redises.
#[derive(clap::Args)]
pub(crate) struct BenchArgs {
    /// A short run, for a first impression.
    #[arg(long)]
    quick: bool,
    /// Only this row or curve, or all whose names begin with this word; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Write the figures to this file too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// More flags for the benchmark.
    #[arg(last = true, value_name = "FLAGS")]
    extra: Vec<String>,
}

/// Builds, then runs the benchmark on this terminal.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let mut flags = Vec::new();
    if args.quick {
        flags.push(OsString::from("--quick"));
    }
    for name in &args.only {
        flags.extend([OsString::from("--only"), name.into()]);
    }
    if let Some(file) = &args.json {
        flags.extend([OsString::from("--json"), file.into()]);
    }
    // What is left out or measured in haste proves too little for the page.
    if !args.quick && args.only.is_empty() {
        flags.extend([
            OsString::from("--page"),
            workspace::root().join("docs").into(),
        ]);
    }
    flags.extend(args.extra.iter().map(OsString::from));
    program::run("bench", Wanted::Redis, flags)
}
