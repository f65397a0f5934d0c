//! One program under valgrind's tool callgrind, which counts each instruction that it runs. The kernel's are not counted.

use std::fs::File;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, bail};

use crate::install::{self, Tool};
use crate::server::Missing;
use crate::{child, workspace};

/// Where the files of callgrind go, and how it is started.
pub(crate) struct Callgrind {
    folder: PathBuf,
    is_tied: bool,
}

/// A program that is counted while it runs. Dropping it ends it.
pub(crate) struct Counted {
    name: String,
    process: std::process::Child,
    profile: PathBuf,
    log: PathBuf,
}

impl Callgrind {
    /// Installs valgrind where it is missing. The error is a [`Missing`] where it can't be had or does not work, which is
    /// no fault of the project.
    pub(crate) fn get() -> anyhow::Result<Self> {
        if !Tool::Valgrind.is_here()
            && let Err(error) = install::install(Tool::Valgrind)
        {
            return Err(Missing(format!("{error:#}")).into());
        }
        // Some systems lack the symbols that it needs.
        let mut trial = Command::new("valgrind");
        if let Err(error) =
            quietly(trial.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "true"]))
        {
            return Err(Missing(format!("valgrind does not work here: {error:#}")).into());
        }
        let folder = workspace::target_dir()?.join("instructions");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
        Ok(Self {
            folder,
            is_tied: child::can_tie(),
        })
    }

    /// Where the files of callgrind are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a program. `name` names its files.
    pub(crate) fn start(
        &self,
        name: &str,
        program: &Path,
        arguments: &[String],
    ) -> anyhow::Result<Counted> {
        let file = |extension| {
            let name = name.replace('/', "-");
            self.folder.join(format!("{name}.{extension}"))
        };
        let (profile, log) = (file("callgrind"), file("log"));
        let says =
            File::create(&log).with_context(|| format!("could not make {}", log.display()))?;
        let mut command = child::command(Path::new("valgrind"), self.is_tied);
        command
            .arg("--tool=callgrind")
            .arg(format!("--callgrind-out-file={}", profile.display()))
            .arg(program)
            .args(arguments)
            // The environment lies on the stack, and moves what is above it.
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .stdin(Stdio::null())
            .stdout(says.try_clone().context("could not share the log")?)
            .stderr(says);
        let process = command.spawn().context("could not run valgrind")?;
        Ok(Counted {
            name: name.to_owned(),
            process,
            profile,
            log,
        })
    }
}

impl Counted {
    /// Whether it runs no more.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// Waits until it ends by itself, and says how many instructions it took.
    pub(crate) fn finish(mut self) -> anyhow::Result<u64> {
        let status = self.process.wait().context("lost valgrind")?;
        if !status.success() {
            bail!("{} failed ({status}): {}", self.name, self.log.display());
        }
        let profile = std::fs::read_to_string(&self.profile)
            .with_context(|| format!("could not read {}", self.profile.display()))?;
        total(&profile).with_context(|| format!("no total in {}", self.profile.display()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What is in the line `totals: 123`.
fn total(profile: &str) -> Option<u64> {
    let line = profile
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals: "))?;
    line.trim().parse().ok()
}

/// Does the same with each item, as many at a time as there are cores, and gives the results in the items' order.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    action: impl Fn(&T) -> anyhow::Result<R> + Sync,
) -> anyhow::Result<Vec<R>> {
    let next = Mutex::new(0..items.len());
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let work = || {
        loop {
            let Some(index) = next.lock().ok().and_then(|mut next| next.next()) else {
                return;
            };
            let result = action(&items[index]);
            if let Ok(mut results) = results.lock() {
                results.push((index, result));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// What one more of something costs, by what two runs cost in all that differ in nothing but how many they do.
pub(crate) fn per_one(few: (u64, u64), many: (u64, u64)) -> u64 {
    let (more, cost) = (many.0 - few.0, many.1.saturating_sub(few.1));
    (cost + more / 2) / more
}

/// A command that is not counted, and whose output matters only when it fails.
pub(crate) fn quietly(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not run `{}`", workspace::shown(command)))?;
    if !output.status.success() {
        let shown = workspace::shown(command);
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` failed: {}", errors.trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_ends_in_its_total() {
        let profile = "events: Ir\nsummary: 7\n\nfn=(1)\n1 7\n\ntotals: 76320787\n";
        assert_eq!(total(profile), Some(76_320_787));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn what_is_done_once_does_not_count() {
        assert_eq!(per_one((10, 1_000 + 10 * 7), (20, 1_000 + 20 * 7)), 7);
        assert_eq!(per_one((10, 5), (20, 3)), 0);
    }

    #[test]
    fn results_keep_their_order() {
        let items: Vec<u64> = (0..50).collect();
        assert_eq!(each(&items, |item| Ok(*item)).unwrap(), items);
        let failed = each(&items, |item| {
            anyhow::ensure!(*item != 30, "thirty");
            Ok(())
        });
        assert_eq!(failed.unwrap_err().to_string(), "thirty");
    }
}
