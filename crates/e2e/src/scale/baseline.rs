//! What is left of jobs in Redis once they are over and past their retention.

use std::time::{Duration, Instant};

use broker::QueueArgs;
use protocol::{JobOptions, JobState};
use serde::Serialize;

use super::load::Load;

/// Redis before, at its fullest, and after.
#[derive(Clone, Debug, Serialize)]
pub struct Baseline {
    /// How many jobs went through.
    pub jobs: usize,
    /// Jobs in a second, from the first one handed in to the last one's end.
    pub per_second: f64,
    /// Bytes in use before, when the first thousand had come and gone.
    pub before_bytes: f64,
    /// Bytes in use at the end of the load.
    pub peak_bytes: f64,
    /// Bytes in use after retention.
    pub after_bytes: f64,
    /// Keys before.
    pub before_keys: u64,
    /// Keys after.
    pub after_keys: u64,
}

/// Sends `jobs` jobs through, each with a log of its own, and waits until all are forgotten.
pub async fn baseline(jobs: usize) -> Baseline {
    let keep = QueueArgs {
        keep_completed_secs: 2,
        keep_jobs: 1_000_000_000,
        ..QueueArgs::default()
    };
    let arguments = ["--keep-completed-secs", "2", "--keep-jobs", "1000000000"];
    let load = Load::start(2, &arguments, keep).await;
    let options = JobOptions::default();
    load.fill(1_000, &options).await;
    forgotten(&load, 1_000).await;
    let (before_bytes, before_keys) = memory(&load).await;
    let start = Instant::now();
    load.fill(jobs, &options).await;
    while load.completed().await < jobs as u64 + 1_000 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let per_second = jobs as f64 / start.elapsed().as_secs_f64();
    let peak_bytes = load.info("memory", "used_memory_peak").await;
    forgotten(&load, jobs as u64 + 1_000).await;
    let (after_bytes, after_keys) = memory(&load).await;
    Baseline {
        jobs,
        per_second,
        before_bytes,
        peak_bytes,
        after_bytes,
        before_keys,
        after_keys,
    }
}

/// Waits until so many have completed, and none of them is kept.
async fn forgotten(load: &Load, jobs: u64) {
    let start = Instant::now();
    loop {
        let kept = load.count(JobState::Completed).await;
        if load.completed().await >= jobs && kept == 0 {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(300),
            "{kept} jobs are kept"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn memory(load: &Load) -> (f64, u64) {
    // What was freed goes back in the background.
    let mut least = f64::MAX;
    for _ in 0..20 {
        let _: String = load.system.redis.command(&["MEMORY", "PURGE"]).await;
        least = least.min(load.info("memory", "used_memory").await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (least, load.system.redis.command(&["DBSIZE"]).await)
}
