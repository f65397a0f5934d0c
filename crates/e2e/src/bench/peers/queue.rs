//! A queue alone: what a peer's program is to do, and what it says about it.

use std::{process::Command, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Running, Skipped};

/// A queue that is measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// BullMQ on Node.
    Bullmq,
    /// BullMQ's Rust crate.
    BullmqRust,
}

/// What is to be done: add no-op jobs in bulk, then process all of them.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QueueTask {
    /// How many jobs.
    pub jobs: u32,
    /// How many are processed at a time.
    pub concurrency: u32,
    /// How many bytes of JSON a job's data has, at least 11.
    pub payload: u32,
    /// How many finished jobs are kept; each one more removes the oldest.
    pub keep: u32,
}

/// What it took. A smaller task of the same kind went before, so that everything is compiled and connected.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct QueueFigures {
    /// How long adding took.
    pub add_seconds: f64,
    /// How long processing took, from the start of the worker until the last job was completed.
    pub process_seconds: f64,
    /// CPU seconds of Redis' main thread while jobs were added.
    pub add_cpu: f64,
    /// CPU seconds of Redis' main thread while jobs were processed, and old ones removed.
    pub process_cpu: f64,
    /// Redis' `used_memory` before there was a job, in bytes.
    pub memory_empty: u64,
    /// The same with all jobs waiting.
    pub memory_waiting: u64,
    /// The same with all jobs finished.
    pub memory_finished: u64,
}

impl QueueTask {
    /// A program's settings.
    pub(super) fn settings(&self, redis_url: &str) -> Value {
        let mut settings = json!(self);
        settings["redis"] = redis_url.into();
        settings
    }

    /// Runs a program to its end.
    pub(super) async fn run(&self, program: Command) -> Result<QueueFigures, Skipped> {
        // A thousand a second is far below what any of them does.
        let patience = Duration::from_secs(30 + u64::from(self.jobs) / 1000);
        let said = Running::new()?.finish("queue", program, patience).await?;
        serde_json::from_str(&said)
            .map_err(|error| Skipped::new(format_args!("it said {said:?}: {error}")))
    }
}

impl QueueFigures {
    /// Bytes of Redis for each of so many waiting jobs.
    pub fn bytes_per_waiting_job(&self, task: &QueueTask) -> f64 {
        self.memory_waiting.saturating_sub(self.memory_empty) as f64 / f64::from(task.jobs)
    }
}
