//! What Redis spends on a job in the project's scripts: a private Redis under callgrind, and the benchmark `scripts` of the
//! crate `broker` that gives it exactly so many jobs.
//!
//! Each load is run with few and with many jobs, and the difference is what one job costs: what Redis does once, or by
//! the clock, falls out. Nothing but storing is run too, so that the rest is what the rounds of the worker cost.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::baseline::Group;
use super::callgrind::{Callgrind, Counted, each, per_one, quietly};
use super::{bench, say};
use crate::server::{self, Wanted};

/// What the jobs are: see the benchmark.
const LOADS: [&str; 2] = ["jobs", "chat"];
/// How many go in one script.
const BATCHES: [u64; 2] = [1, 16];
/// More than 128 in both cases: a smaller set is kept in another form, whose cost grows with it.
const FEW: u64 = 160;
const MANY: u64 = 288;
/// How long Redis may take to start, being slowed down by callgrind on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(60);

struct Run {
    load: &'static str,
    batch: u64,
    steps: &'static str,
    jobs: u64,
}

/// Counts what is wanted; `None` if none is.
pub(crate) fn count(
    callgrind: &Callgrind,
    is_wanted: &dyn Fn(&str) -> bool,
) -> anyhow::Result<Option<Group>> {
    let name = |step: &str, load: &str, batch: u64| format!("redis/{step}/{load}/{batch}");
    let mut runs = Vec::new();
    for load in LOADS {
        for batch in BATCHES {
            let wants_work = is_wanted(&name("work", load, batch));
            if !wants_work && !is_wanted(&name("enqueue", load, batch)) {
                continue;
            }
            let steps: &[&str] = if wants_work {
                &["enqueue", "all"]
            } else {
                &["enqueue"]
            };
            for steps in steps {
                runs.extend([FEW, MANY].map(|jobs| Run {
                    load,
                    batch,
                    steps,
                    jobs,
                }));
            }
        }
    }
    if runs.is_empty() {
        return Ok(None);
    }

    let server = server::get(Wanted::Redis)?;
    say::step("building what gives Redis its jobs");
    // With the features that the tests of the whole workspace have, so that both share what they build.
    let programs = bench::build(&["--workspace", "--bench", "scripts"])?;
    let [(_, driver)] = programs.as_slice() else {
        bail!(
            "cargo built {} benchmarks of the name `scripts`",
            programs.len()
        );
    };
    say::step(&format!("counting what jobs cost {server}"));
    let totals = each(&runs, |run| run.count(callgrind, &server.path, driver))?;

    let mut group = Group::new(version(&server.path)?);
    let per_job: Vec<_> = runs
        .chunks(2)
        .zip(totals.chunks(2))
        .map(|(runs, totals)| (&runs[0], per_one((FEW, totals[0]), (MANY, totals[1]))))
        .collect();
    for (run, cost) in &per_job {
        let (step, cost) = if run.steps == "enqueue" {
            ("enqueue", *cost)
        } else {
            let stored = per_job.iter().find(|(other, _)| {
                other.steps == "enqueue" && (other.load, other.batch) == (run.load, run.batch)
            });
            (
                "work",
                cost.saturating_sub(stored.map_or(0, |(_, cost)| *cost)),
            )
        };
        let name = name(step, run.load, run.batch);
        if is_wanted(&name) {
            group.insert(name, cost);
        }
    }
    Ok(Some(group))
}

/// The Redis whose work is counted.
pub(crate) fn made_with() -> anyhow::Result<String> {
    version(&server::get(Wanted::Redis)?.path)
}

/// What another build of Redis would spend is no regression of ours.
fn version(server: &Path) -> anyhow::Result<String> {
    let output = Command::new(server)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not run {}", server.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl Run {
    /// How many instructions Redis takes from its start to its end.
    fn count(&self, callgrind: &Callgrind, server: &Path, driver: &Path) -> anyhow::Result<u64> {
        let Self {
            load,
            batch,
            steps,
            jobs,
        } = self;
        let name = format!("redis-{steps}-{load}-{batch}-{jobs}");
        let socket = Socket::new(&name);
        let mut redis = callgrind.start(&name, server, &socket.arguments())?;
        socket.wait_for(&mut redis)?;
        let mut command = Command::new(driver);
        command
            .arg(format!("unix://{}", socket.0.display()))
            .args([load, steps]);
        quietly(command.arg(batch.to_string()).arg(jobs.to_string()))?;
        // It ends without an answer.
        let _ = socket.ask("SHUTDOWN NOSAVE");
        redis.finish()
    }
}

/// Where a private Redis listens: no port that another program could take meanwhile.
struct Socket(PathBuf);

impl Socket {
    fn new(name: &str) -> Self {
        // The path of a socket must be short.
        let file = format!("xtask-{}-{name}.sock", std::process::id());
        Self(std::env::temp_dir().join(file))
    }

    /// The arguments of a Redis that listens here, keeps nothing, and does little of its own accord.
    fn arguments(&self) -> Vec<String> {
        let socket = self.0.to_string_lossy();
        let pairs = [
            ["--port", "0"],
            ["--unixsocket", &socket],
            ["--save", ""],
            ["--appendonly", "no"],
            ["--hz", "1"],
            ["--dynamic-hz", "no"],
            ["--activerehashing", "no"],
            // Under callgrind everything is slow.
            ["--slowlog-log-slower-than", "-1"],
            ["--loglevel", "warning"],
        ];
        pairs.concat().into_iter().map(str::to_owned).collect()
    }

    fn wait_for(&self, redis: &mut Counted) -> anyhow::Result<()> {
        let start = Instant::now();
        while !self
            .ask("PING")
            .is_ok_and(|answer| answer.starts_with("+PONG"))
        {
            if redis.has_ended() || start.elapsed() > PATIENCE {
                bail!("Redis does not start under valgrind");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn ask(&self, command: &str) -> std::io::Result<String> {
        let mut stream = UnixStream::connect(&self.0)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        let mut answer = [0; 64];
        let read = stream.read(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Redis takes it away itself when it ends well.
        let _ = std::fs::remove_file(&self.0);
    }
}
