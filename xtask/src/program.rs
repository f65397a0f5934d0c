//! Builds for release and runs one of the programs of the crate `e2e` on this terminal.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::server::{self, Wanted};
use crate::{say, workspace};

/// Builds all binaries, then runs `name` with a Redis of the wanted make at hand.
pub(crate) fn run(
    name: &str,
    wanted: Wanted,
    arguments: impl IntoIterator<Item = OsString>,
) -> anyhow::Result<ExitCode> {
    let server = server::get(wanted)?;
    say::step("building for release");
    let crates = ["-p", "server", "-p", "queue", "-p", "worker", "-p", "e2e"];
    workspace::run(workspace::cargo(&["build", "--release", "--bins"]).args(crates))?;
    // It stays in the caller's folder, so a relative path means what it says.
    let status = Command::new(workspace::target_dir()?.join("release").join(name))
        .env(server::VARIABLE, &server.path)
        .args(arguments)
        .status()
        .with_context(|| format!("could not run `{name}`"))?;
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    ))
}
