//! `cargo xtask test`: every test, with what the tests need.
//!
//! Installs what is missing of Redis, Node, Python and a browser, unpacks a promtool and what judges manifests, builds the
//! binaries that end-to-end tests start, and ends in one plain line:
//! `N passed, N failed`, or `skipped: …` where the wanted server can't be had.

use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use crate::counts::{self, Counts};
use crate::install::{self, Tool};
use crate::outcome::Outcome;
use crate::server::{self, Wanted};
use crate::{browser, kubernetes, promtool, say, workspace};

/// Runs every test; the last line is `N passed, N failed`, or `skipped: WHY` with exit code 77.
#[derive(clap::Args, Default)]
pub(crate) struct TestArgs {
    /// The server to test with.
    #[arg(long, value_enum, default_value_t, value_name = "NAME")]
    server: Wanted,
    /// What the Redis of each test is made of, unless the test says so itself.
    #[arg(long, env = Topology::VARIABLE, value_enum, default_value_t, value_name = "NAME")]
    topology: Topology,
    /// Run only tests whose name contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// More flags for the test runner.
    #[arg(last = true, value_name = "FLAGS")]
    extra: Vec<String>,
}

/// What a Redis is made of, as the tests' `REDIS_TOPOLOGY` calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Topology {
    /// One server.
    #[default]
    One,
    /// A primary, a replica, and three Sentinels.
    Sentinel,
    /// Three primaries, each with a replica.
    Cluster,
}

impl Topology {
    const VARIABLE: &str = "REDIS_TOPOLOGY";

    const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Sentinel => "sentinel",
            Self::Cluster => "cluster",
        }
    }
}

/// Runs the tests and prints how that ended.
pub(crate) fn run(args: &TestArgs) -> ExitCode {
    outcome(args).close()
}

/// Runs the tests.
pub(crate) fn outcome(args: &TestArgs) -> Outcome {
    Outcome::of(count(args))
}

fn count(args: &TestArgs) -> anyhow::Result<Counts> {
    let server = server::get(args.server)?;
    for tool in [Tool::Node, Tool::Python, Tool::Browser] {
        // The tests that need it say that it is missing, and fail.
        if !tool.is_here()
            && let Err(error) = install::install(tool)
        {
            say::error(&format!("{error:#}"));
        }
    }
    let promtool = promtool::get();
    if let Err(error) = &promtool {
        say::error(&format!(
            "{error:#}: what promtool says of metrics and alerts is skipped"
        ));
    }
    let kubernetes = kubernetes::get();
    if let Err(error) = &kubernetes {
        say::error(&format!(
            "{error:#}: the manifests of docs/deploy can't be judged"
        ));
    }
    say::step("building the binaries");
    workspace::run(&mut workspace::cargo(&["build", "--workspace", "--bins"]))?;

    let made = args.topology.name();
    say::step(&format!("tests with {server}, topology {made}"));
    let mut command = tests(args, &server.path);
    if let Some(browser) = browser::find() {
        command.env(browser::VARIABLE, browser);
    }
    if let Ok(promtool) = promtool {
        command.env(promtool::VARIABLE, promtool);
    }
    if let Ok(kubernetes) = kubernetes {
        command
            .env(kubernetes::KUBECTL, kubernetes.kubectl)
            .env(kubernetes::SCHEMAS, kubernetes.schemas);
    }
    let mut counts = counts::run(&mut command)?;
    // A narrowed run is about some tests, and those are hardly in the documentation.
    if args.filter.is_none() && args.extra.is_empty() {
        say::step("examples in the documentation");
        let mut examples = workspace::cargo(&["test", "--workspace", "--doc"]);
        counts += counts::run(with_environment(&mut examples, &server.path))?;
    }
    Ok(counts)
}

fn tests(args: &TestArgs, server: &Path) -> Command {
    let mut command = if has_nextest() {
        let mut command = workspace::cargo(&["nextest", "run", "--workspace", "--no-fail-fast"]);
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
    command.env(Topology::VARIABLE, args.topology.name());
    with_environment(&mut command, server);
    command
}

fn with_environment<'a>(command: &'a mut Command, server: &Path) -> &'a mut Command {
    if std::io::stdout().is_terminal() && say::has_colour() {
        // The runner writes to a pipe, which we pass on to a terminal.
        command.env("CARGO_TERM_COLOR", "always");
    }
    command.env(server::VARIABLE, server)
}

fn has_nextest() -> bool {
    workspace::cargo(&["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
