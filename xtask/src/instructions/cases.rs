//! What the hot path in Rust costs: the cases of the crates' benchmarks, each done so often and twice as often.
//!
//! The difference is what doing it once costs: start, end and preparation fall out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::baseline::Group;
use super::callgrind::{Callgrind, each, per_one};
use super::{bench, say, workspace};

/// What builds the programs. `benches/cases/mod.rs` of the crate `protocol` says what they can do.
const BUILD: [&str; 14] = [
    "--profile",
    "instructions",
    "--package",
    "protocol",
    "--bench",
    "frames",
    "--package",
    "broker",
    "--bench",
    "records",
    "--package",
    "server",
    "--bench",
    "delivery",
];

struct Case {
    program: PathBuf,
    name: String,
    times: u64,
}

/// The compiler, and the library whose code is counted too: it copies and allocates.
pub(crate) fn made_with() -> anyhow::Result<String> {
    let compiler = says(Command::new("rustc").arg("--version"))?;
    let library = says(Command::new("getconf").arg("GNU_LIBC_VERSION"));
    let library = library.unwrap_or_else(|_| "another libc".to_owned());
    Ok(format!("{compiler}, {library}"))
}

/// Counts what is wanted; `None` if none is.
pub(crate) fn count(
    callgrind: &Callgrind,
    is_wanted: &dyn Fn(&str) -> bool,
) -> anyhow::Result<Option<Group>> {
    say::step("building the benchmarks");
    let mut cases = Vec::new();
    for (_, program) in bench::build(&BUILD)? {
        let listed = list(&program)?;
        cases.extend(listed.into_iter().filter(|case| is_wanted(&case.label())));
    }
    if cases.is_empty() {
        return Ok(None);
    }
    say::step("counting what is done for every message");
    let runs: Vec<_> = cases
        .iter()
        .flat_map(|case| [1, 2].map(|by| (case, case.times * by)))
        .collect();
    let totals = each(&runs, |(case, times)| case.count(callgrind, *times))?;
    let mut group = Group::new(made_with()?);
    for (case, totals) in cases.iter().zip(totals.chunks(2)) {
        let cost = per_one((case.times, totals[0]), (case.times * 2, totals[1]));
        group.insert(case.label(), cost);
    }
    Ok(Some(group))
}

/// The cases of a benchmark, and how often each is to be done.
fn list(program: &Path) -> anyhow::Result<Vec<Case>> {
    let text = says(Command::new(program).arg("list"))?;
    let case = |line: &str| {
        let (name, times) = line.split_once(' ')?;
        Some(Case {
            program: program.to_owned(),
            name: name.to_owned(),
            times: times.parse().ok().filter(|times| *times > 0)?,
        })
    };
    let cases = text
        .lines()
        .map(|line| case(line).with_context(|| format!("`{line}` is no case")));
    cases.collect()
}

/// The first lines of what a program says, without the line break at the end.
fn says(command: &mut Command) -> anyhow::Result<String> {
    let shown = workspace::shown(command);
    // Where the toolchain is named.
    command.current_dir(workspace::root()).stdin(Stdio::null());
    let output = command
        .output()
        .with_context(|| format!("could not run `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed ({})", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl Case {
    /// What it is called in the baseline.
    fn label(&self) -> String {
        format!("rust/{}", self.name)
    }

    fn count(&self, callgrind: &Callgrind, times: u64) -> anyhow::Result<u64> {
        let name = format!("{}-{times}", self.label());
        let arguments = ["count".to_owned(), self.name.clone(), times.to_string()];
        callgrind.start(&name, &self.program, &arguments)?.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_have_versions() {
        assert!(made_with().unwrap().starts_with("rustc 1."));
    }
}
