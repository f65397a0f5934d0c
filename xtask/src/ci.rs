//! `cargo xtask lint` and `cargo xtask ci`: what must hold before a change lands.
//!
//! Every step runs, also after one has failed, so that one run shows all that is wrong.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::bail;

use crate::test::{self, TestArgs};
use crate::{instructions, say, tidy, workspace};

/// Checks without tests: format, clippy, documentation, tidy.
#[derive(clap::Args)]
pub(crate) struct LintArgs {}

/// Everything that must hold before a change lands: the checks of `lint`, the counts of instructions, every test.
#[derive(clap::Args)]
pub(crate) struct CiArgs {}

/// Runs the checks.
pub(crate) fn lint(_: &LintArgs) -> anyhow::Result<ExitCode> {
    let failed = checks();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the checks, then the tests; the last line is that of the tests.
pub(crate) fn run(_: &CiArgs) -> ExitCode {
    let mut failed = checks();
    check("instructions", &mut failed, instructions::check);
    let start = Instant::now();
    let outcome = test::outcome(&TestArgs::default());
    report("test", outcome.is_success(), start);
    if !failed.is_empty() {
        say::error(&format!("failed: {}", failed.join(", ")));
    }
    let code = outcome.close();
    if failed.is_empty() {
        code
    } else {
        ExitCode::FAILURE
    }
}

/// Runs each check and names those that failed.
fn checks() -> Vec<&'static str> {
    let mut doc = workspace::cargo(&["doc", "--workspace", "--no-deps"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    let mut clippy = workspace::cargo(&["clippy", "--workspace", "--all-targets"]);
    clippy.args(["--", "-D", "warnings"]);
    let commands: [(&'static str, Command); 3] = [
        ("fmt", workspace::cargo(&["fmt", "--all", "--check"])),
        ("clippy", clippy),
        ("doc", doc),
    ];

    let mut failed = Vec::new();
    for (name, mut command) in commands {
        check(name, &mut failed, || workspace::run(&mut command));
    }
    check("tidy", &mut failed, tidy::check);
    failed
}

fn check(
    name: &'static str,
    failed: &mut Vec<&'static str>,
    step: impl FnOnce() -> anyhow::Result<()>,
) {
    say::step(name);
    let start = Instant::now();
    let result = step();
    if let Err(error) = &result {
        say::error(&format!("{error:#}"));
        failed.push(name);
    }
    report(name, result.is_ok(), start);
}

fn report(name: &str, success: bool, start: Instant) {
    let outcome = if success { "ok" } else { "failed" };
    say::line(format!(
        "{name}: {outcome} in {}",
        say::seconds(start.elapsed())
    ));
}
