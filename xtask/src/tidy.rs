//! `cargo xtask tidy`: the invariants of the workspace that no compiler checks.
//!
//! Each rule is a function from what it looks at to violations, so that it can be tested without a workspace.
//! Never changes a file.

mod arrows;
mod codes;
mod layout;
mod source;
mod violation;
mod waits;

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;

use crate::{say, workspace};

/// Checks the crate arrows, file lengths, doc headers, documented codes and the top level.
#[derive(clap::Args)]
pub(crate) struct TidyArgs {}

/// Checks and prints every violation.
pub(crate) fn run(_: &TidyArgs) -> anyhow::Result<ExitCode> {
    check()?;
    Ok(ExitCode::SUCCESS)
}

/// Checks and prints; fails when there is a violation.
pub(crate) fn check() -> anyhow::Result<()> {
    let root = workspace::root();
    let sources = source::all(&root)?;
    let mut violations = arrows::check(&arrows::crates(&root)?);
    violations.extend(layout::check(&root));
    violations.extend(codes::check(&root)?);
    for source in &sources {
        violations.extend(source.check());
        violations.extend(waits::check(source));
    }
    if violations.is_empty() {
        say::line(format!(
            "tidy: {} source files, no violation",
            sources.len()
        ));
        return Ok(());
    }
    violations.sort();
    for violation in &violations {
        say::line(violation);
    }
    bail!(
        "tidy: {} violation{}",
        violations.len(),
        if violations.len() == 1 { "" } else { "s" }
    )
}

/// The path as a person writes it: from the root of the workspace.
fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}
