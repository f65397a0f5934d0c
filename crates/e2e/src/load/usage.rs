//! What processes cost: CPU time from the kernel's own clocks, memory from `/proc`.
//!
//! On a machine that others use too this says more than a rate.

use std::{fmt, time::Duration};

use anyhow::Context as _;
use nix::{
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};
use serde::Serialize;

/// Processes that count as one.
#[derive(Clone, Debug)]
pub struct Watched {
    /// What they are called in figures.
    pub name: String,
    /// Their ids.
    pub pids: Vec<u32>,
}

impl Watched {
    /// One process.
    pub fn new(name: &str, pid: u32) -> Self {
        Self {
            name: name.to_owned(),
            pids: vec![pid],
        }
    }

    /// The process that asks.
    pub fn generator() -> Self {
        Self::new("generator", std::process::id())
    }

    /// The CPU time of all their threads, of those that ended too.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        self.pids.iter().map(|pid| cpu(*pid)).sum()
    }

    /// Their memory.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        let mut sum = Memory::default();
        for pid in &self.pids {
            let memory = Memory::of(*pid)?;
            sum.rss_bytes += memory.rss_bytes;
            sum.pss_bytes += memory.pss_bytes;
        }
        Ok(sum)
    }
}

/// The clock counts what `/proc/PID/task/*/schedstat` shows, and what threads did that are no more.
fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let id = Pid::from_raw(i32::try_from(pid).context("a pid fits")?);
    let time = clock_getcpuclockid(id).and_then(clock_gettime);
    Ok(time.with_context(|| format!("no process {pid}"))?.into())
}

/// What is held in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Pages that are in memory.
    pub rss_bytes: u64,
    /// The same, where a page that several share counts in parts.
    pub pss_bytes: u64,
}

impl Memory {
    /// That of a process.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = std::fs::read_to_string(&path).with_context(|| format!("can't read {path}"))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let kib: Option<u64> =
                line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok());
            kib.map(|kib| kib * 1024)
                .with_context(|| format!("{path} does not tell {name}"))
        };
        Ok(Self {
            rss_bytes: field("Rss:")?,
            pss_bytes: field("Pss:")?,
        })
    }
}

/// Runs while something is measured.
#[derive(Clone, Debug)]
pub struct Meter {
    begun: Vec<(Watched, Duration)>,
}

impl Meter {
    /// Begins to count for each.
    pub fn start(watched: &[Watched]) -> anyhow::Result<Self> {
        let begun = watched.iter().map(|one| Ok((one.clone(), one.cpu()?)));
        Ok(Self {
            begun: begun.collect::<anyhow::Result<_>>()?,
        })
    }

    /// What each used since.
    pub fn read(&self) -> anyhow::Result<Vec<Usage>> {
        let used = self.begun.iter().map(|(watched, before)| {
            Ok(Usage {
                name: watched.name.clone(),
                cpu_seconds: watched.cpu()?.saturating_sub(*before).as_secs_f64(),
                memory: watched.memory()?,
            })
        });
        used.collect()
    }
}

/// What a process used.
#[derive(Clone, Debug, Serialize)]
pub struct Usage {
    /// Which.
    pub name: String,
    /// How long it ran on a CPU.
    pub cpu_seconds: f64,
    /// What it holds at the end.
    #[serde(flatten)]
    pub memory: Memory,
}

impl Usage {
    /// As a line, where `count` is what was done and `what` its name.
    pub fn line(&self, count: f64, what: &str) -> String {
        let each = self.cpu_seconds * 1e6 / count.max(1.0);
        format!("{self}, {each:.2} µs a {what}")
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
        let Self {
            name,
            cpu_seconds,
            memory,
        } = self;
        write!(
            f,
            "{name:<10} {:>7.1} MiB RSS, {:>7.1} MiB PSS, {cpu_seconds:>7.3} CPU s",
            mib(memory.rss_bytes),
            mib(memory.pss_bytes)
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Meter, Watched};

    /// The time on a CPU that `/proc` tells of the threads that there are.
    fn schedstat() -> Duration {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let nanoseconds = tasks.filter_map(|task| {
            let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    #[test]
    fn threads_that_ended_are_counted_too() {
        let generator = Watched::generator();
        let meter = Meter::start(std::slice::from_ref(&generator)).unwrap();
        let busy = Duration::from_millis(60);
        let thread = std::thread::spawn(move || {
            let start = schedstat();
            let patience = Instant::now();
            while schedstat() < start + busy && patience.elapsed() < Duration::from_secs(30) {}
        });
        thread.join().unwrap();
        let used = meter.read().unwrap();
        assert!(used[0].cpu_seconds >= busy.as_secs_f64() * 0.9, "{used:?}");
        assert!(generator.cpu().unwrap() >= schedstat());
        assert!(used[0].memory.rss_bytes >= used[0].memory.pss_bytes);
    }

    #[test]
    fn nobody_costs_nothing() {
        // The kernel gives no number as large.
        assert!(Watched::new("nobody", 1 << 23).cpu().is_err());
    }
}
