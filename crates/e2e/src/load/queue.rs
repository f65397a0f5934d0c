//! The queue alone: jobs are handed in in bulk while nobody takes any, then a worker whose handler does nothing runs
//! them.
//!
//! Jobs are as those of the plain protocol: their events go to a topic that they share, and only their ends are told.

mod rig;

use broker::QueueArgs;
use serde::Serialize;

use super::{StageArgs, Usage};

use rig::Rig;

/// The kind of job for which nothing is done.
pub const NO_OP_KIND: &str = "nothing";

/// How many jobs go before what is measured, so that everything is connected.
const WARM_UP: u32 = 2_000;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct QueueLoad {
    /// How many jobs are handed in.
    pub jobs: u32,
    /// How many of them are run; the rest stays.
    pub run: u32,
    /// How many bytes of JSON a payload has, at least 11.
    pub bytes: usize,
    /// How many tenants the jobs belong to, in turn.
    pub tenants: usize,
    /// Whether each job has a topic of its own on which every change of its state is told, as for jobs that are handed
    /// in over HTTP.
    pub own_topics: bool,
    /// How many finished jobs are kept; each one more removes the oldest.
    pub keep: u64,
    /// The private system.
    pub stage: StageArgs,
}

/// What it took.
#[derive(Clone, Debug, Serialize)]
pub struct QueueFigures {
    /// Handing in, until all are stored.
    pub enqueue: Part,
    /// Running, from when the worker may begin until the last job is completed.
    pub run: Part,
    /// How much more memory Redis uses for each job that waits.
    pub redis_bytes_per_waiting_job: f64,
    /// What Redis' main thread spends on a job from being handed in to being forgotten, in microseconds.
    pub redis_us_per_job: f64,
}

/// One half of it.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// How many jobs.
    pub jobs: u32,
    /// How long it took.
    pub seconds: f64,
    /// Jobs in a second.
    pub per_second: f64,
    /// What Redis' main thread spent on each, in microseconds.
    pub redis_us_per_job: f64,
    /// What the processes used.
    pub usage: Vec<Usage>,
}

impl QueueLoad {
    /// Does it, on a system of its own.
    pub async fn measure(&self) -> anyhow::Result<QueueFigures> {
        let keep = QueueArgs {
            keep_jobs: self.keep,
            max_waiting: 10_000_000,
            max_waiting_bytes: 16 << 30,
            ..QueueArgs::default()
        };
        let rig = Rig::start(self, keep).await?;
        rig.fill(WARM_UP).await?;
        rig.run(WARM_UP).await?;
        let empty = rig.redis("memory", "used_memory").await?;
        let enqueue = rig.fill(self.jobs).await?;
        let waiting = rig.redis("memory", "used_memory").await?;
        let run = rig.run(self.run).await?;
        Ok(QueueFigures {
            redis_bytes_per_waiting_job: (waiting - empty) / f64::from(self.jobs.max(1)),
            redis_us_per_job: enqueue.redis_us_per_job + run.redis_us_per_job,
            enqueue,
            run,
        })
    }
}
