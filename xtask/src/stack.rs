//! All the processes of a `cargo dev`: watched together, stopped in order.
//!
//! Never restarts one: a process that ends by itself is a fault that the person should see.

use std::process::ExitStatus;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::child::{Child, Role};
use crate::say;

/// How often processes and signals are looked at.
const TICK: Duration = Duration::from_millis(50);

/// The running processes, and the signals that ask them to stop.
pub(crate) struct Stack {
    children: Vec<Child>,
    signals: Signals,
    /// How long the processes of one role may take to stop.
    patience: Duration,
}

/// What ended a wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// What was waited for.
    Ready,
    /// A signal: everything is to stop.
    Asked,
}

impl Stack {
    /// An empty stack. From here on signals no longer end this process.
    pub(crate) fn new(patience: Duration) -> anyhow::Result<Self> {
        let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("could not catch signals")?;
        Ok(Self {
            children: Vec::new(),
            signals,
            patience,
        })
    }

    /// Takes care of a process.
    pub(crate) fn add(&mut self, child: Child) {
        self.children.push(child);
    }

    /// Waits for a condition. Fails when a process ends by itself, or when it takes too long.
    pub(crate) fn wait_until(
        &mut self,
        what: &str,
        within: Duration,
        mut condition: impl FnMut() -> bool,
    ) -> anyhow::Result<Waited> {
        let deadline = Instant::now() + within;
        loop {
            if self.is_asked() {
                return Ok(Waited::Asked);
            }
            if condition() {
                return Ok(Waited::Ready);
            }
            self.fail_if_one_ended()?;
            if Instant::now() >= deadline {
                bail!("waited {} in vain for {what}", say::seconds(within));
            }
            sleep(TICK);
        }
    }

    /// Waits for a signal. Fails when a process ends by itself.
    pub(crate) fn watch(&mut self) -> anyhow::Result<()> {
        while !self.is_asked() {
            self.fail_if_one_ended()?;
            sleep(TICK);
        }
        Ok(())
    }

    /// Stops everything, role after role. True when all went in time; a signal meanwhile kills at once.
    pub(crate) fn stop(mut self) -> bool {
        let mut in_time = true;
        for role in Role::ALL {
            for child in self.of(role) {
                child.terminate();
            }
            let deadline = Instant::now() + self.patience;
            while self.of(role).any(|child| child.status().is_none()) {
                if self.is_asked() {
                    say::line("killing what is left");
                    return false; // Dropping the stack kills.
                }
                if Instant::now() >= deadline {
                    in_time = false;
                    for child in self.of(role).filter_map(running) {
                        say::line(format!("{} did not stop in time: killing it", child.name));
                        child.kill();
                    }
                }
                sleep(TICK);
            }
        }
        in_time
    }

    fn of(&mut self, role: Role) -> impl Iterator<Item = &mut Child> {
        self.children
            .iter_mut()
            .filter(move |child| child.role == role)
    }

    fn is_asked(&mut self) -> bool {
        self.signals.pending().count() > 0
    }

    fn fail_if_one_ended(&mut self) -> anyhow::Result<()> {
        for child in &mut self.children {
            if let Some(status) = child.status() {
                bail!("{} ended by itself ({})", child.name, described(status));
            }
        }
        Ok(())
    }
}

fn running(child: &mut Child) -> Option<&mut Child> {
    if child.status().is_none() {
        Some(child)
    } else {
        None
    }
}

/// `exit status: 1`, also for success, where the standard words would hide that it is a fault.
fn described(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;

    use super::*;
    use crate::child::command;

    const LONG: Duration = Duration::from_secs(20);

    fn child(name: &str, role: Role, script: &str) -> Child {
        let mut shell = command(Path::new("/bin/sh"), false);
        shell.args(["-c", script]);
        Child::start(name.to_owned(), role, name, shell).unwrap()
    }

    #[test]
    fn an_end_by_itself_is_a_fault_that_names_the_process() {
        let mut stack = Stack::new(LONG).unwrap();
        stack.add(child("queue", Role::Queue, "sleep 60"));
        stack.add(child("worker-1", Role::Worker, "exit 3"));
        let error = stack.watch().unwrap_err().to_string();
        assert_eq!(error, "worker-1 ended by itself (exit code 3)");
        assert!(stack.stop());
    }

    #[test]
    fn a_wait_has_an_end() {
        let mut stack = Stack::new(LONG).unwrap();
        let error = stack
            .wait_until("nothing", TICK, || false)
            .unwrap_err()
            .to_string();
        assert_eq!(error, "waited 0.1 s in vain for nothing");
        assert_eq!(
            stack.wait_until("something", TICK, || true).unwrap(),
            Waited::Ready
        );
    }

    #[test]
    fn what_ignores_the_request_is_killed() {
        let ready = std::env::temp_dir().join(format!("xtask-stack-{}", std::process::id()));
        let script = format!("trap '' TERM; echo > {}; sleep 60", ready.display());
        let mut stack = Stack::new(TICK).unwrap();
        stack.add(child("stubborn", Role::Server, &script));
        stack
            .wait_until("the trap", LONG, || ready.exists())
            .unwrap();
        let start = Instant::now();
        assert!(!stack.stop());
        assert!(start.elapsed() < LONG);
        std::fs::remove_file(ready).unwrap();
    }

    #[test]
    fn a_status_is_described_as_a_fault() {
        assert_eq!(described(ExitStatus::from_raw(0)), "exit code 0");
        assert!(described(ExitStatus::from_raw(9)).contains("signal"));
    }
}
