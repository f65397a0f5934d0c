//! What a long line costs those who take from it.

use std::time::Instant;

use broker::{QueueArgs, testing::until};
use protocol::{EventLevel, JobOptions, JobState, Topic};
use serde::Serialize;

use super::load::Load;

/// What it takes to run a number of jobs out of a line.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// How many wait when it begins.
    pub backlog: usize,
    /// How many are run.
    pub jobs: u64,
    /// Jobs in a second.
    pub per_second: f64,
    /// What Redis' processor spends on one job, in microseconds.
    pub redis_us_per_job: f64,
}

/// A short line beside a long one.
#[derive(Clone, Debug, Serialize)]
pub struct Backlog {
    /// The short line.
    pub short: Cost,
    /// The long line.
    pub long: Cost,
    /// How many times more of Redis' processor a job of the long line takes.
    pub ratio: f64,
    /// How long it took to hand in the long line, in jobs a second.
    pub enqueued_per_second: f64,
}

/// Runs `jobs` out of a line of twice as many, then out of one of `backlog`.
pub async fn backlog(backlog: usize, jobs: usize) -> Backlog {
    let keep = QueueArgs {
        max_waiting: 10_000_000,
        max_waiting_bytes: 16 << 30,
        ..QueueArgs::default()
    };
    let load = Load::start(2, &[], keep).await;
    let options = JobOptions {
        topic: Some(Topic::new("room").expect("a name")),
        events: EventLevel::Outcome,
        ..JobOptions::default()
    };
    load.pause(true).await;
    // What is run first warms up, and is not counted.
    load.fill(jobs * 4, &options).await;
    run(&load, jobs).await;
    let short = run(&load, jobs).await;
    let more = backlog - usize::try_from(load.count(JobState::Waiting).await).unwrap_or(0);
    let start = Instant::now();
    load.fill(more, &options).await;
    let enqueued_per_second = more as f64 / start.elapsed().as_secs_f64();
    let long = run(&load, jobs).await;
    Backlog {
        ratio: long.redis_us_per_job / short.redis_us_per_job,
        short,
        long,
        enqueued_per_second,
    }
}

async fn run(load: &Load, jobs: usize) -> Cost {
    let backlog = usize::try_from(load.count(JobState::Waiting).await).unwrap_or(usize::MAX);
    let (first, cpu, start) = (load.completed().await, cpu(load).await, Instant::now());
    load.pause(false).await;
    while load.completed().await - first < jobs as u64 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    load.pause(true).await;
    until("what was begun is done", async || {
        (load.count(JobState::Active).await == 0).then_some(())
    })
    .await;
    let seconds = start.elapsed().as_secs_f64();
    let jobs = load.completed().await - first;
    Cost {
        backlog,
        jobs,
        per_second: jobs as f64 / seconds,
        redis_us_per_job: (self::cpu(load).await - cpu) * 1e6 / jobs as f64,
    }
}

/// The seconds of processor that Redis has used.
async fn cpu(load: &Load) -> f64 {
    load.info("cpu", "used_cpu_user").await + load.info("cpu", "used_cpu_sys").await
}
