//! promtool, Prometheus' own judge of metrics, rules and settings: where it is found, or a copy of the project's own.
//!
//! Where Debian's package can be had it is unpacked into a folder under `target/`: to install it would start a Prometheus on
//! this machine. Nothing of it is run but promtool, and without it the tests that need it say that they were skipped.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::workspace::{self, find_program};
use crate::{install, say, whole};

/// Names the promtool to use, for those who have several; the tests read it too.
pub(crate) const VARIABLE: &str = "PROMTOOL";
/// Debian's package, and where promtool is in it.
const PACKAGE: &str = "prometheus";
const INSIDE: &str = "usr/bin/promtool";

/// The one that is named by the variable or is on PATH, else one that is unpacked now. The error says why there is none.
pub(crate) fn get() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let found = named
        .map(PathBuf::from)
        .or_else(|| find_program("promtool"));
    if let Some(path) = found {
        return Ok(path);
    }
    let folder = workspace::target_dir()?.join("promtool");
    let path = folder.join(INSIDE);
    if !path.is_file() {
        if find_program("apt-get").is_none() || find_program("dpkg").is_none() {
            bail!("no promtool on PATH, and no apt-get to get one with");
        }
        say::step("no promtool on PATH: unpacking Debian's package into target/");
        whole::folder(&folder, unpack)?;
    }
    if !path.is_file() {
        bail!("Debian's package {PACKAGE} holds no promtool");
    }
    Ok(path)
}

fn unpack(folder: &Path) -> anyhow::Result<()> {
    if download(folder).is_err() {
        // A fresh container has no lists of packages, or old ones.
        install::refresh("apt-get")?;
        download(folder)?;
    }
    let package = package_in(folder).context("apt-get brought no package")?;
    workspace::run(
        Command::new("dpkg")
            .arg("--extract")
            .arg(&package)
            .arg(folder),
    )?;
    std::fs::remove_file(&package)
        .with_context(|| format!("could not remove {}", package.display()))
}

fn download(folder: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(["--quiet", "--quiet", "download", PACKAGE])
        .current_dir(folder)
        .stdin(Stdio::null());
    workspace::run(&mut command)
}

fn package_in(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "deb"))
}
