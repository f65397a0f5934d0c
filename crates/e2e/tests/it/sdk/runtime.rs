//! What runs the scripts: Node and Python with the SDKs that the lock files name, fetched once into `target/` by the
//! ordinary clients of their registries.
//!
//! What can't be had fails the test: one that is left out would look like one that passed.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use broker::testing::tied;

/// A language that has an SDK.
#[derive(Clone, Copy, Debug)]
pub enum Runtime {
    Node,
    Python,
}

impl Runtime {
    /// The command that runs a script, after fetching the SDK where it is missing. Blocks meanwhile.
    pub fn command(self, script: &str) -> Command {
        let folder = target().join("sdk").join(self.name());
        fs::create_dir_all(&folder).unwrap();
        // Tests run side by side: one fetches, the others wait.
        let lock = File::create(folder.with_extension("lock")).unwrap();
        lock.lock().unwrap();
        let wanted = fs::read_to_string(scripts().join(self.pins())).unwrap();
        let marker = folder.join("fetched");
        if fs::read_to_string(&marker).ok().as_ref() != Some(&wanted) {
            self.fetch(&folder);
            fs::write(&marker, wanted).unwrap();
        }
        match self {
            Self::Node => {
                let mut command = tied("node");
                command
                    .arg(scripts().join(script).with_extension("js"))
                    .env("NODE_PATH", folder.join("node_modules"));
                command
            }
            Self::Python => {
                let python = folder.join("bin/python");
                let mut command = tied(python.to_str().expect("the path is text"));
                // No folder of its byte code beside the sources.
                command
                    .arg("-B")
                    .arg(scripts().join(script).with_extension("py"));
                command
            }
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python",
        }
    }

    /// The file that names each version.
    const fn pins(self) -> &'static str {
        match self {
            Self::Node => "package-lock.json",
            Self::Python => "requirements.txt",
        }
    }

    fn fetch(self, folder: &Path) {
        match self {
            Self::Node => {
                for file in ["package.json", "package-lock.json"] {
                    fs::copy(scripts().join(file), folder.join(file)).unwrap();
                }
                let mut npm = Command::new("npm");
                // Packages are read, and none of their install scripts is run.
                npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                    .current_dir(folder);
                run(npm, "npm (with node)");
            }
            Self::Python => {
                let mut venv = Command::new("python3");
                venv.args(["-m", "venv", "--clear"]).arg(folder);
                run(venv, "python3 with its module venv");
                let mut pip = Command::new(folder.join("bin/python"));
                pip.args(["-m", "pip", "install", "--disable-pip-version-check"])
                    .args(["--no-input", "--quiet", "--requirement"])
                    .arg(scripts().join(self.pins()));
                run(pip, "pip");
            }
        }
    }
}

fn run(mut command: Command, what: &str) {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!("{what} can't be run: {error}; `cargo xtask test` installs what is missing")
        });
    assert!(
        output.status.success(),
        "the SDK can't be had: {command:?} ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}

/// The folder that this test was built in, above its profile's.
fn target() -> PathBuf {
    let own = std::env::current_exe().expect("this binary has a path");
    own.ancestors().nth(3).expect("it lies deep").to_owned()
}
