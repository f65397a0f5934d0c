//! What is looked at when load and faults are over: the last burst, what Redis keeps, and how everyone ends.

use std::time::{Duration, Instant};

use anyhow::ensure;
use broker::{Inspector, Totals};
use nix::sys::signal::Signal;
use protocol::LOBBY_TOPIC;

use super::{READY, Stage, TICK, millis};
use crate::faults::{
    director::GRACE,
    fleet::all_ready,
    history::Mark,
    progress,
    report::{Burst, Ending},
    run_log,
    schedule::Target,
    watcher::{self, WORK_TOPIC},
    work::{Fails, Work},
};

/// How many jobs of how many milliseconds the last burst has: as many as all workers run at a time, so that each must
/// take some.
const BURST: usize = 300;
const BURST_MS: u64 = 1_000;

impl Stage {
    /// As many jobs as all workers run at a time: who takes none is a zombie.
    pub(super) async fn burst(&mut self) -> anyhow::Result<Burst> {
        all_ready(&self.fleet.ports(), READY).await;
        let not_ready = self.fleet.not_ready().await;
        let work = Work {
            ms: BURST_MS,
            emits: 0,
            fails: Fails::Never,
            stubborn: false,
        };
        let jobs = (0..BURST).map(|_| self.submitter.submit(&work));
        let jobs = tokio::time::timeout(READY, futures_util::future::join_all(jobs));
        let jobs = jobs.await.unwrap_or_default();
        let start = Instant::now();
        while start.elapsed() < READY && !self.book.are_over(&jobs) {
            tokio::time::sleep(TICK).await;
        }
        let runs = run_log::read(&self.run_log)?;
        let workers = self.fleet.slots.iter();
        let workers = workers.filter(|slot| matches!(slot.target, Target::Worker(_)));
        let begun = workers.map(|slot| {
            runs.iter()
                .filter(|run| run.mark == Mark::Begin && jobs.contains(&run.job))
                .filter(|run| Some(run.pid) == slot.pid())
                .count()
        });
        Ok(Burst {
            jobs: jobs.len(),
            begun: begun.collect(),
            not_ready: not_ready.iter().map(Target::to_string).collect(),
        })
    }

    /// Reads Redis' record of what is not over, and of what was over only a moment ago; and what Redis counted.
    pub(super) async fn read_the_rest(&self) -> Option<Totals> {
        let inspector = Inspector::new(self.redis.connect("dwb"));
        let all = async {
            for job in self.book.unfinished().into_iter().chain(self.book.unread()) {
                watcher::read(&inspector, &self.queue, &self.book, job).await;
            }
        };
        // Redis answers by now, or nobody will know more.
        let _ = tokio::time::timeout(READY, all).await;
        let (_, totals) = inspector.sum(&self.queue).await.ok()?;
        Some(totals)
    }

    /// Waits until Redis has forgotten all jobs and logs; says how many jobs it keeps.
    pub(super) async fn forget(&self) -> u64 {
        progress::say("waiting until Redis has forgotten what is over");
        let inspector = Inspector::new(self.redis.connect("dwb"));
        let start = Instant::now();
        let most = Duration::from_secs(self.args.keep_secs + 30);
        loop {
            let counts = inspector.sum(&self.queue).await;
            let kept = counts.map_or(u64::MAX, |(counts, _)| counts.completed + counts.failed);
            let mut logs: u64 = 0;
            for partition in inspector.partitions(&self.queue).await.unwrap_or_default() {
                let keys = [LOBBY_TOPIC, WORK_TOPIC]
                    .map(|topic| format!("dwb{{{partition}}}:log:{topic}"));
                let exist = ["EXISTS", &keys[0], &keys[1]];
                logs += self.redis.command::<u64>(&exist).await;
            }
            if kept + logs == 0 || start.elapsed() > most {
                return kept;
            }
            tokio::time::sleep(TICK * 50).await;
        }
    }

    /// Redis' memory, in bytes.
    pub(super) async fn memory(&self) -> anyhow::Result<u64> {
        let info: String = self.redis.command(&["INFO", "memory"]).await;
        let told = info.lines().filter_map(|line| {
            line.strip_prefix("used_memory:")?
                .trim()
                .parse::<u64>()
                .ok()
        });
        let all: Vec<_> = told.collect();
        ensure!(!all.is_empty(), "Redis does not tell its memory");
        Ok(all.iter().sum())
    }

    /// Asks everyone to stop, all at once.
    pub(super) async fn terminate(&mut self) -> Vec<Ending> {
        self.stop.cancel();
        let start = Instant::now();
        for slot in &self.fleet.slots {
            slot.signal(Signal::SIGTERM);
        }
        let mut endings = Vec::new();
        for slot in &mut self.fleet.slots {
            let (exit, well) = loop {
                if slot.process.is_none() {
                    break ("did not run".to_owned(), false);
                }
                if let Some((status, _)) = slot.ended() {
                    break (status.to_string(), status.success());
                }
                if start.elapsed() > GRACE {
                    break ("did not end".to_owned(), false);
                }
                tokio::time::sleep(TICK).await;
            };
            endings.push(Ending {
                target: slot.target.to_string(),
                exit,
                well,
                took_ms: millis(start.elapsed()),
            });
        }
        endings
    }
}
