//! What more shards of a Cluster give: three queues on one shard, on two, and on three.
//!
//! The shards of a test share one machine, so that a rate says little. What one shard spends on all jobs says how many it
//! could take if it had a machine of its own: half as much is twice as many. So that each is asked as it would be at its
//! limit, all jobs wait before the first is run: batches are as large as they become.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use broker::{
    Control, Inspector, Producer, ProducerConfig, QueueArgs,
    testing::{PATIENCE, TestRedis, Topology},
};
use futures_util::{StreamExt as _, future::try_join_all};
use protocol::{EventLevel, Job, JobOptions, Kind, QueueName, Topic};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_util::task::TaskTracker;

use crate::{
    Settings, System,
    load::{NO_OP_KIND, on_disk},
};

/// How many queues there are.
const QUEUES: usize = 3;
/// How many jobs of a queue go before what is measured, so that everything is connected.
const WARM_UP: usize = 2_000;
/// How many jobs are handed in at a time.
const AT_ONCE: usize = 1024;

/// What so many shards spend.
#[derive(Clone, Debug, Serialize)]
pub struct Shards {
    /// How many there are.
    pub shards: usize,
    /// How many jobs went through all queues.
    pub jobs: usize,
    /// Jobs in a second, handing in and running: bounded by this machine's cores.
    pub per_second: f64,
    /// What the main thread of each spent on 100,000 jobs of all queues together, in seconds.
    pub cpu_seconds_per_100k: Vec<f64>,
    /// The most of them: the shard that is at its limit first.
    pub busiest: f64,
    /// How many times as many jobs as one shard they take until the busiest is at its limit.
    pub times: f64,
}

/// Runs so many jobs in all through three queues, on one, two and three shards.
pub async fn shards(jobs: usize) -> anyhow::Result<Vec<Shards>> {
    let mut all: Vec<Shards> = Vec::new();
    for count in 1..=QUEUES {
        let mut found = Box::pin(measure(count, jobs / QUEUES)).await?;
        found.times = all.first().map_or(1.0, |one| one.busiest / found.busiest);
        all.push(found);
    }
    Ok(all)
}

async fn measure(shards: usize, each: usize) -> anyhow::Result<Shards> {
    let topology = Topology::Cluster {
        primaries: shards,
        replicas: 0,
        node_timeout_ms: 5_000,
    };
    let redis = TestRedis::start_as(topology, &on_disk("everysec")).await;
    let names: Vec<_> = (0..QUEUES)
        .map(|n| name(&redis, n, n % shards))
        .collect::<Result<_, _>>()?;
    let mut system = System::launch(
        redis,
        Settings {
            servers: 0,
            workers: 0,
            worker_binary: "bench-worker",
            ..Settings::default()
        },
    );
    for name in &names {
        system.add_worker(&["--queue", name.as_str()]);
    }
    system.ready().await;
    let queues: Vec<_> = names.into_iter().map(|n| Queue::new(&system, n)).collect();
    run(&queues, WARM_UP).await?;
    let before = spent(&system, shards).await?;
    let start = Instant::now();
    run(&queues, each).await?;
    let seconds = start.elapsed().as_secs_f64();
    let after = spent(&system, shards).await?;
    let jobs = each * QUEUES;
    let per_100k = 100_000.0 / jobs as f64;
    let cpu: Vec<f64> = before
        .iter()
        .zip(&after)
        .map(|(before, after)| (after - before) * per_100k)
        .collect();
    Ok(Shards {
        shards,
        jobs,
        per_second: jobs as f64 / seconds,
        busiest: cpu.iter().copied().fold(0.0, f64::max),
        cpu_seconds_per_100k: cpu,
        times: 1.0,
    })
}

/// A name for the n-th queue that has it on this shard.
fn name(redis: &TestRedis, n: usize, shard: usize) -> anyhow::Result<QueueName> {
    let names = (0..1_000).map(|k| format!("queue-{n}-{k}"));
    let name = names
        .into_iter()
        .find(|name| redis.would_own(&format!("{{{name}}}")) == shard)
        .context("no name for this shard")?;
    Ok(QueueName::new(name)?)
}

/// What the main thread of each shard has spent, in seconds.
async fn spent(system: &System, shards: usize) -> anyhow::Result<Vec<f64>> {
    let one = async |n| {
        let info: String = system.redis.command_at(n, &["INFO", "cpu"]).await;
        let field = |name: &str| -> anyhow::Result<f64> {
            let line = info.lines().find_map(|line| line.strip_prefix(name));
            let value = line.with_context(|| format!("Redis does not tell {name}"))?;
            Ok(value.trim().parse()?)
        };
        Ok::<_, anyhow::Error>(
            field("used_cpu_user_main_thread:")? + field("used_cpu_sys_main_thread:")?,
        )
    };
    try_join_all((0..shards).map(one)).await
}

/// Lets all jobs wait, then run.
async fn run(queues: &[Queue], each: usize) -> anyhow::Result<()> {
    try_join_all(queues.iter().map(|queue| queue.fill(each))).await?;
    try_join_all(queues.iter().map(Queue::drain)).await?;
    Ok(())
}

struct Queue {
    name: QueueName,
    producer: Producer,
    control: Control,
    inspector: Inspector,
}

impl Queue {
    fn new(system: &System, name: QueueName) -> Self {
        let args = QueueArgs {
            max_waiting: 10_000_000,
            max_waiting_bytes: 16 << 30,
            ..QueueArgs::default()
        };
        let redis = system.connect();
        Self {
            producer: Producer::spawn(
                redis.clone(),
                name.clone(),
                args.clone(),
                ProducerConfig::default(),
                &TaskTracker::new(),
            ),
            control: Control::new(redis, args),
            inspector: system.inspector(),
            name,
        }
    }

    async fn fill(&self, jobs: usize) -> anyhow::Result<()> {
        self.control.pause(&self.name, true).await?;
        let job = job()?;
        let submits = futures_util::stream::iter(0..jobs)
            .map(|_| self.producer.submit(Producer::new_id(), job.clone()));
        let mut stored = submits.buffer_unordered(AT_ONCE);
        while let Some(receipt) = stored.next().await {
            receipt?;
        }
        Ok(())
    }

    async fn drain(&self) -> anyhow::Result<()> {
        self.control.pause(&self.name, false).await?;
        let mut last = (0, Instant::now());
        loop {
            let (counts, totals) = self.inspector.counts(&self.name).await?;
            ensure!(totals.failed == 0, "{} jobs failed", totals.failed);
            if counts.waiting + counts.active == 0 {
                return Ok(());
            }
            if totals.completed > last.0 {
                last = (totals.completed, Instant::now());
            }
            ensure!(last.1.elapsed() < PATIENCE, "nothing of {} ends", self.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// As those of the plain protocol: a topic that they share, on which their ends are told.
fn job() -> anyhow::Result<Job> {
    let filling = "x".repeat(89);
    Ok(Job {
        kind: Kind::new(NO_OP_KIND)?,
        payload: RawValue::from_string(format!(r#"{{"text":"{filling}"}}"#))?,
        options: JobOptions {
            topic: Some(Topic::new("room")?),
            events: EventLevel::Outcome,
            ..JobOptions::default()
        },
    })
}
