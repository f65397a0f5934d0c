//! The peers that are Rust: built by cargo, each once, as its lock file says.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use broker::testing::tied;
use serde_json::Value;

use super::{Skipped, node::run};

/// A program that was built.
#[derive(Debug)]
pub(super) struct Rust {
    name: &'static str,
    version: String,
    program: PathBuf,
}

/// A program that can be built.
pub(super) struct Recipe {
    /// The crate that is compared with, as it is named on the page.
    name: &'static str,
    /// Which version of it.
    version: &'static str,
    /// The program's name.
    binary: &'static str,
    /// What cargo is asked for, before the folders are named.
    cargo: &'static [&'static str],
    /// Why one may not want to build it.
    cost: &'static str,
}

/// A program of our own around `BullMQ`'s crate. Its lock file names the same version.
pub(super) const BULLMQ: Recipe = Recipe {
    name: "bullmq-official",
    version: "1.4.4",
    binary: "bullmq-peer",
    cargo: &[
        "install",
        "--path",
        concat!(env!("CARGO_MANIFEST_DIR"), "/peers/bullmq-rust"),
    ],
    cost: "minutes",
};

/// Sockudo as its authors publish it, with nothing that is not needed for `WebSocket`s and Redis.
pub(super) const SOCKUDO: Recipe = Recipe {
    name: "sockudo",
    version: "5.2.0",
    binary: "sockudo",
    cargo: &[
        "install",
        "sockudo@5.2.0",
        "--no-default-features",
        "--features",
        "local,v2,redis",
    ],
    cost: "half an hour on two cores, and needs protoc with its well-known types",
};

impl Recipe {
    /// Builds the program in a folder, if it is wanted and not there yet.
    pub(super) fn install(&self, folder: &Path, wanted: bool) -> Result<Rust, Skipped> {
        let rust = Rust {
            name: self.name,
            version: self.version.to_owned(),
            program: folder.join("bin").join(self.binary),
        };
        fs::create_dir_all(folder).map_err(Skipped::new)?;
        // Several programs may want it at once: one builds, the others wait.
        let lock = File::create(folder.with_extension("lock")).map_err(Skipped::new)?;
        lock.lock().map_err(Skipped::new)?;
        let sources = self.sources();
        let marker = folder.join("built");
        if rust.program.exists() && fs::read_to_string(&marker).ok().as_ref() == Some(&sources) {
            return Ok(rust);
        }
        if !wanted {
            let cost = self.cost;
            return Err(Skipped::new(format_args!(
                "not asked for: building it takes {cost}"
            )));
        }
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(self.cargo)
            .args(["--locked", "--force", "--root"])
            .arg(folder)
            .arg("--target-dir")
            .arg(folder.join("build"));
        run(&mut cargo, "cargo install")?;
        fs::write(&marker, sources).map_err(Skipped::new)?;
        Ok(rust)
    }

    /// Everything that decides what is built.
    fn sources(&self) -> String {
        let mut sources = self.cargo.join(" ");
        let path = self.cargo.iter().find(|word| Path::new(word).is_absolute());
        for file in ["Cargo.toml", "Cargo.lock", "src/main.rs"] {
            let text = path.map(|path| fs::read_to_string(Path::new(path).join(file)));
            sources.extend(text.and_then(Result::ok));
        }
        sources
    }
}

impl Rust {
    /// What it is, and which version.
    pub(super) fn version(&self) -> (String, String) {
        (self.name.to_owned(), self.version.clone())
    }

    /// The program itself.
    pub(super) fn bare(&self) -> Command {
        tied(self.program.to_str().unwrap_or(self.name))
    }

    /// The program with settings.
    pub(super) fn with(&self, settings: &Value) -> Command {
        let mut command = self.bare();
        command.arg(settings.to_string());
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_the_ones_that_are_built() {
        let locked = format!(
            "name = \"{}\"\nversion = \"{}\"",
            BULLMQ.name, BULLMQ.version
        );
        assert!(BULLMQ.sources().contains(&locked));
        let asked = format!("{}@{}", SOCKUDO.name, SOCKUDO.version);
        assert!(SOCKUDO.cargo.contains(&asked.as_str()));
    }

    #[test]
    fn what_is_not_wanted_is_skipped_with_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let skipped = SOCKUDO.install(&folder.path().join("sockudo"), false);
        assert!(
            skipped
                .unwrap_err()
                .to_string()
                .starts_with("not asked for")
        );
    }
}
