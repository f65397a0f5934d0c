//! One process that `cargo dev` has started: its own process group, its output with a prefix.
//!
//! It must not outlive us, however we end. On Linux the kernel sees to that (`setpriv --pdeathsig`); the signal
//! follows the *thread* that spawned, so processes are started from the main thread only.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use anyhow::Context;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::say;

/// What a process is. The order is the order of stopping: senders before receivers, Redis last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Server,
    Worker,
    Queue,
    Redis,
}

impl Role {
    /// In the order of stopping.
    pub(crate) const ALL: [Self; 4] = [Self::Server, Self::Worker, Self::Queue, Self::Redis];
}

/// A started process. Dropping it kills it.
pub(crate) struct Child {
    /// The name before its lines.
    pub(crate) name: String,
    /// What it is.
    pub(crate) role: Role,
    process: std::process::Child,
    status: Option<ExitStatus>,
    readers: Vec<JoinHandle<()>>,
}

/// Whether the kernel can be asked to end a process with its parent.
pub(crate) fn can_tie() -> bool {
    cfg!(target_os = "linux")
        && Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

/// The command for a program that ends with us, where `tied` says that this is possible.
pub(crate) fn command(program: &Path, tied: bool) -> Command {
    if !tied {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

impl Child {
    /// Starts the command; `label` is what stands before each line of its output.
    pub(crate) fn start(
        name: String,
        role: Role,
        label: &str,
        mut command: Command,
    ) -> anyhow::Result<Self> {
        // A group of its own: Ctrl-C reaches us alone, and we stop the processes in order.
        let mut process = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        let mut readers = Vec::new();
        if let Some(output) = process.stdout.take() {
            readers.push(relay(output, label.to_owned()));
        }
        if let Some(output) = process.stderr.take() {
            readers.push(relay(output, label.to_owned()));
        }
        Ok(Self {
            name,
            role,
            process,
            status: None,
            readers,
        })
    }

    /// How it ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            // An error here would mean that it was waited for already, which only this does.
            self.status = self.process.try_wait().ok().flatten();
        }
        self.status
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&mut self) {
        if self.status().is_none() {
            let _ = kill(self.pid(), Signal::SIGTERM);
        }
    }

    /// Ends it and all that it has started, at once.
    pub(crate) fn kill(&mut self) {
        let _ = killpg(self.pid(), Signal::SIGKILL);
        if self.status.is_none() {
            self.status = self.process.wait().ok();
        }
    }

    fn pid(&self) -> Pid {
        // A process id of this system always fits.
        Pid::from_raw(self.process.id().cast_signed())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

/// Copies lines to stdout, each behind the label. Ends with the process's output.
fn relay(output: impl Read + Send + 'static, label: String) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            let mut stdout = std::io::stdout().lock();
            let _ = writeln!(stdout, "{label} {text}");
            drop(stdout);
            line.clear();
        }
    })
}

/// The label of a process: its name, as wide as the widest, in its colour.
pub(crate) fn label(name: &str, width: usize, index: usize) -> String {
    say::in_colour_of(index, &format!("{name:width$} |"))
}
