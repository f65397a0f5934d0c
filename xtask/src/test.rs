//! `cargo xtask test`: every test, with what the tests need.
//!
//! Installs Redis where it is missing, builds the binaries that end-to-end tests start, and ends in one plain line,
//! `N passed, N failed`.

use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use crate::counts::{self, Counts};
use crate::{redis, say, workspace};

/// Runs every test; the last line is `N passed, N failed`.
#[derive(clap::Args, Default)]
pub(crate) struct TestArgs {
    /// Run only tests whose name contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// More flags for the test runner.
    #[arg(last = true, value_name = "FLAGS")]
    extra: Vec<String>,
}

/// Runs the tests and prints the counts.
pub(crate) fn run(args: &TestArgs) -> ExitCode {
    close(count(args))
}

/// Prints the last line, and turns it into an exit code.
pub(crate) fn close(counts: Counts) -> ExitCode {
    say::line(counts);
    if counts.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs the tests. What keeps them from running counts as a failure, so that a count always comes out.
pub(crate) fn count(args: &TestArgs) -> Counts {
    try_count(args).unwrap_or_else(|error| {
        say::error(&format!("{error:#}"));
        Counts {
            passed: 0,
            failed: 1,
        }
    })
}

fn try_count(args: &TestArgs) -> anyhow::Result<Counts> {
    let redis_server = redis::server()?;
    say::step("building the binaries");
    workspace::run(&mut workspace::cargo(&["build", "--workspace", "--bins"]))?;

    say::step("tests");
    let mut counts = counts::run(&mut tests(args, &redis_server))?;
    // A narrowed run is about some tests, and those are hardly in the documentation.
    if args.filter.is_none() && args.extra.is_empty() {
        say::step("examples in the documentation");
        let mut examples = workspace::cargo(&["test", "--workspace", "--doc"]);
        counts += counts::run(with_environment(&mut examples, &redis_server))?;
    }
    Ok(counts)
}

fn tests(args: &TestArgs, redis_server: &Path) -> Command {
    let mut command = if has_nextest() {
        let mut command = workspace::cargo(&["nextest", "run", "--workspace"]);
        if std::env::var_os("CI").is_some() {
            command.args(["--profile", "ci"]);
        }
        command
    } else {
        say::line("cargo-nextest is not installed: using `cargo test`");
        // One failed crate must not hide the others.
        workspace::cargo(&["test", "--workspace", "--no-fail-fast", "--all-targets"])
    };
    command.args(&args.filter).args(&args.extra);
    with_environment(&mut command, redis_server);
    command
}

fn with_environment<'a>(command: &'a mut Command, redis_server: &Path) -> &'a mut Command {
    if std::io::stdout().is_terminal() && say::has_colour() {
        // The runner writes to a pipe, which we pass on to a terminal.
        command.env("CARGO_TERM_COLOR", "always");
    }
    command.env(redis::SERVER_VARIABLE, redis_server)
}

fn has_nextest() -> bool {
    workspace::cargo(&["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
