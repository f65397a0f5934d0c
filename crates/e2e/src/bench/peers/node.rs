//! The peers that run on Node: their packages, fetched once by npm as the lock file says, and their scripts.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use broker::testing::tied;
use serde_json::Value;

use super::Skipped;

/// Node with the packages that the scripts need.
#[derive(Debug)]
pub(super) struct Node {
    version: String,
    modules: PathBuf,
}

impl Node {
    /// Fetches the packages where they are missing or the lock file has changed.
    pub(super) fn install(folder: &Path) -> Result<Self, Skipped> {
        let version = run(Command::new("node").arg("--version"), "node")?;
        let wanted = fs::read_to_string(scripts().join("package-lock.json"))
            .map_err(|error| Skipped::new(format_args!("the lock file can't be read: {error}")))?;
        fs::create_dir_all(folder).map_err(Skipped::new)?;
        // Several programs may want it at once: one fetches, the others wait.
        let lock = File::create(folder.with_extension("lock")).map_err(Skipped::new)?;
        lock.lock().map_err(Skipped::new)?;
        let marker = folder.join("fetched");
        if fs::read_to_string(&marker).ok().as_ref() != Some(&wanted) {
            fetch(folder)?;
            fs::write(&marker, wanted).map_err(Skipped::new)?;
        }
        Ok(Self {
            version: version.trim().trim_start_matches('v').to_owned(),
            modules: folder.join("node_modules"),
        })
    }

    /// Node's version, and each package's that was asked for by name.
    pub(super) fn versions(&self) -> Vec<(String, String)> {
        let mut versions = vec![("Node.js".to_owned(), self.version.clone())];
        let wanted = json(&scripts().join("package.json"));
        let names = wanted["dependencies"].as_object().into_iter().flatten();
        versions.extend(names.filter_map(|(name, _)| {
            let package = json(&self.modules.join(name).join("package.json"));
            Some((name.clone(), package["version"].as_str()?.to_owned()))
        }));
        versions
    }

    /// The command that runs a script with settings.
    pub(super) fn script(&self, name: &str, settings: &Value) -> Command {
        let mut command = tied("node");
        command
            .arg(scripts().join(name))
            .arg(settings.to_string())
            .env("NODE_PATH", &self.modules)
            .env("NODE_ENV", "production");
        command
    }
}

fn fetch(folder: &Path) -> Result<(), Skipped> {
    for file in ["package.json", "package-lock.json"] {
        fs::copy(scripts().join(file), folder.join(file)).map_err(Skipped::new)?;
    }
    let mut npm = Command::new("npm");
    // Packages are read, and none of their install scripts is run.
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder);
    run(&mut npm, "npm").map(drop)
}

/// What a command prints, if it ends well.
pub(super) fn run(command: &mut Command, name: &str) -> Result<String, Skipped> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Skipped::new(format_args!("{name} can't be run: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    // Cargo names the error first, npm says it on its last lines.
    let error = errors.lines().find(|line| line.starts_with("error"));
    let last = errors.lines().rev().find(|line| !line.trim().is_empty());
    Err(Skipped::new(format_args!(
        "{name} ended with {}: {}",
        output.status,
        error.or(last).unwrap_or("it said nothing")
    )))
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/node")
}
