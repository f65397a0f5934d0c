//! A producer in this process, a worker and a manager in others, and a Redis of their own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use broker::{
    Control, FreshId, Inspector, Producer, ProducerConfig, QueueArgs, SubmitError,
    testing::PATIENCE,
};
use protocol::{EventLevel, Job, JobOptions, Kind, Tenant, Topic};
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::{NO_OP_KIND, Part, QueueLoad};
use crate::{
    System,
    load::{Meter, Stage, Watched},
};

/// How often it is looked whether all jobs are done.
const LOOK: Duration = Duration::from_millis(5);

pub(super) struct Rig {
    stage: Stage,
    producer: Producer,
    control: Control,
    inspector: Inspector,
    watched: Vec<Watched>,
    jobs: Vec<Job>,
}

impl Rig {
    pub(super) async fn start(load: &QueueLoad, keep: QueueArgs) -> anyhow::Result<Self> {
        let mut args = load.stage.clone();
        args.servers = 0;
        args.worker_binary = "bench-worker";
        let kept = format!("--keep-jobs={}", keep.keep_jobs);
        args.worker_arg.push(kept.clone());
        args.manager_arg.push(kept);
        let stage = Stage::start(&args).await;
        let redis = stage.system.connect();
        let control = Control::new(redis.clone(), keep.clone());
        control.pause(&System::chat(), true).await?;
        let mut watched = stage.watched().await;
        watched.push(Watched::generator());
        Ok(Self {
            producer: Producer::spawn(
                redis,
                System::chat(),
                keep,
                ProducerConfig::default(),
                &TaskTracker::new(),
            ),
            inspector: stage.system.inspector(),
            stage,
            control,
            watched,
            jobs: jobs(load)?,
        })
    }

    /// Hands in so many jobs.
    pub(super) async fn fill(&self, count: u32) -> anyhow::Result<Part> {
        let answers = Arc::new(Answers::default());
        let meter = self.begin().await?;
        for job in self.jobs.iter().cycle().take(count as usize) {
            let answers = Arc::clone(&answers);
            let done = move |answer| answers.add(&answer, count);
            self.producer
                .hand_in(FreshId::new(), job.clone(), done)
                .await;
        }
        tokio::time::timeout(PATIENCE, answers.all.notified())
            .await
            .context("Redis does not take all jobs")?;
        let part = self.end(&meter, count).await?;
        let refused = answers.refused.load(Ordering::Relaxed);
        ensure!(refused == 0, "{refused} jobs were refused");
        Ok(part)
    }

    /// Lets the worker run so many.
    pub(super) async fn run(&self, count: u32) -> anyhow::Result<Part> {
        let before = self.completed().await?;
        let meter = self.begin().await?;
        self.control.pause(&System::chat(), false).await?;
        let mut last = (before, Instant::now());
        while last.0 - before < u64::from(count) {
            tokio::time::sleep(LOOK).await;
            let completed = self.completed().await?;
            if completed > last.0 {
                last = (completed, Instant::now());
            }
            ensure!(
                last.1.elapsed() < PATIENCE,
                "nothing ends: {completed} jobs are done"
            );
        }
        let done = u32::try_from(last.0 - before)?;
        let part = self.end(&meter, done).await?;
        self.control.pause(&System::chat(), true).await?;
        Ok(part)
    }

    /// A number out of Redis' own report.
    pub(super) async fn redis(&self, section: &str, field: &str) -> anyhow::Result<f64> {
        let info = crate::load::info(&self.stage.system.redis, section).await;
        info.lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .and_then(|value| value.trim().parse().ok())
            .with_context(|| format!("Redis does not tell {field}"))
    }

    async fn completed(&self) -> anyhow::Result<u64> {
        let (_, totals) = self.inspector.counts(&System::chat()).await?;
        ensure!(totals.failed == 0, "{} jobs failed", totals.failed);
        Ok(totals.completed)
    }

    async fn main_thread(&self) -> anyhow::Result<f64> {
        let user = self.redis("cpu", "used_cpu_user_main_thread").await?;
        Ok(user + self.redis("cpu", "used_cpu_sys_main_thread").await?)
    }

    async fn begin(&self) -> anyhow::Result<(f64, Meter, Instant)> {
        let main_thread = self.main_thread().await?;
        Ok((main_thread, Meter::start(&self.watched)?, Instant::now()))
    }

    async fn end(
        &self,
        (main_thread, meter, start): &(f64, Meter, Instant),
        jobs: u32,
    ) -> anyhow::Result<Part> {
        let seconds = start.elapsed().as_secs_f64();
        let usage = meter.read()?;
        let each = 1e6 / f64::from(jobs.max(1));
        Ok(Part {
            jobs,
            seconds,
            per_second: f64::from(jobs) / seconds,
            redis_us_per_job: (self.main_thread().await? - main_thread) * each,
            usage,
        })
    }
}

/// A job of each tenant.
fn jobs(load: &QueueLoad) -> anyhow::Result<Vec<Job>> {
    let filling = load.bytes.saturating_sub(r#"{"text":""}"#.len());
    let payload = format!(r#"{{"text":"{}"}}"#, "x".repeat(filling));
    let payload = RawValue::from_string(payload)?;
    let jobs = (1..=load.tenants.max(1)).map(|tenant| {
        let options = if load.own_topics {
            JobOptions::default()
        } else {
            JobOptions {
                topic: Some(Topic::new("room")?),
                events: EventLevel::Outcome,
                ..JobOptions::default()
            }
        };
        Ok(Job {
            kind: Kind::new(NO_OP_KIND)?,
            payload: payload.clone(),
            options: JobOptions {
                tenant: Tenant::new(format!("tenant-{tenant}"))?,
                ..options
            },
        })
    });
    jobs.collect()
}

/// What became of the jobs that were handed in.
#[derive(Default)]
struct Answers {
    answered: AtomicU32,
    refused: AtomicU32,
    all: Notify,
}

impl Answers {
    fn add(&self, answer: &Result<broker::Receipt, SubmitError>, most: u32) {
        if answer.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        if self.answered.fetch_add(1, Ordering::Relaxed) + 1 == most {
            self.all.notify_one();
        }
    }
}
