//! Processes of a peer: started until they say that they are ready, and killed in the end.

use std::{
    fs::File,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::Skipped;

/// How long a process may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// A peer that runs. Its processes are killed with this value.
pub struct Running {
    processes: Vec<Member>,
    port: u16,
    files: TempDir,
}

struct Member {
    name: &'static str,
    child: Child,
}

impl Running {
    pub(super) fn new() -> Result<Self, Skipped> {
        Ok(Self {
            processes: Vec::new(),
            port: 0,
            files: tempfile::tempdir().map_err(Skipped::new)?,
        })
    }

    /// Where its gateway listens, on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The name and id of each of its processes.
    pub fn pids(&self) -> Vec<(&'static str, u32)> {
        let pids = self.processes.iter();
        pids.map(|member| (member.name, member.child.id()))
            .collect()
    }

    /// Starts a process and waits for its first line, which is JSON; `port` in it is where it listens.
    pub(super) async fn add(
        &mut self,
        name: &'static str,
        command: Command,
    ) -> Result<(), Skipped> {
        let said = self.begin(name, command)?;
        let line = self.until(name, PATIENCE, |_| first_line(&said)).await?;
        let port = serde_json::from_str::<Value>(&line).ok();
        let port = port.and_then(|line| line["port"].as_u64());
        if let Some(port) = port.and_then(|port| u16::try_from(port).ok()) {
            self.port = port;
        }
        Ok(())
    }

    /// Starts a process that says nothing, and waits until it answers on this port.
    pub(super) async fn add_on(
        &mut self,
        name: &'static str,
        mut command: Command,
        port: u16,
    ) -> Result<(), Skipped> {
        command.current_dir(self.files.path());
        self.begin(name, command)?;
        let answers = |over: Option<ExitStatus>| match over {
            Some(_) => None,
            None => TcpStream::connect(("127.0.0.1", port)).ok(),
        };
        self.until(name, PATIENCE, answers).await?;
        self.port = port;
        Ok(())
    }

    /// Runs a process to its end and returns what it printed.
    pub(super) async fn finish(
        mut self,
        name: &'static str,
        command: Command,
        patience: Duration,
    ) -> Result<String, Skipped> {
        let said = self.begin(name, command)?;
        let ended = |over: Option<ExitStatus>| over.filter(ExitStatus::success);
        self.until(name, patience, ended).await?;
        std::fs::read_to_string(said).map_err(Skipped::new)
    }

    /// Starts a process; returns the file that gets what it prints.
    fn begin(&mut self, name: &'static str, mut command: Command) -> Result<PathBuf, Skipped> {
        let said = self.files.path().join(format!("{name}.out"));
        let output = File::create(&said).map_err(Skipped::new)?;
        let errors = File::create(self.errors(name)).map_err(Skipped::new)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| Skipped::new(format_args!("{name} does not start: {error}")))?;
        self.processes.push(Member { name, child });
        Ok(said)
    }

    /// Waits until a question about the process that was started last has an answer; it gets how it ended, if it has.
    async fn until<T>(
        &mut self,
        name: &str,
        patience: Duration,
        question: impl Fn(Option<ExitStatus>) -> Option<T>,
    ) -> Result<T, Skipped> {
        let start = Instant::now();
        loop {
            let child = self.processes.last_mut().map(|member| &mut member.child);
            let over = child.and_then(|child| child.try_wait().ok().flatten());
            if let Some(answer) = question(over) {
                return Ok(answer);
            }
            let why = match over {
                Some(status) => format!("ended with {status}"),
                None if start.elapsed() > patience => format!("had {patience:?} and is not done"),
                None => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            let errors = std::fs::read_to_string(self.errors(name)).unwrap_or_default();
            return Err(Skipped::new(format_args!(
                "{name} {why}: {}",
                errors.trim()
            )));
        }
    }

    fn errors(&self, name: &str) -> PathBuf {
        self.files.path().join(format!("{name}.err"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for member in &mut self.processes {
            // It may have ended already.
            let _ = member.child.kill();
            let _ = member.child.wait();
        }
    }
}

fn first_line(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let (line, _) = text.split_once('\n')?;
    Some(line.to_owned())
}
