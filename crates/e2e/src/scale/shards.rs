//! What more shards of a Cluster give: three queues on one shard, on two, and on three; and one queue, as it is on one shard,
//! and split into a partition on each of two and three.
//!
//! The shards of a test share one machine, so that a rate says little. What one shard spends on all jobs says how many it
//! could take if it had a machine of its own: half as much is twice as many. So that each is asked as it would be at its
//! limit, all jobs wait before the first is run: batches are as large as they become.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use broker::{
    Control, Inspector, Producer, ProducerConfig, QueueArgs, partition_name,
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
/// How many jobs a worker runs at a time for each shard that it serves.
const CONCURRENCY: usize = 100;
/// How many jobs of a queue go before what is measured, so that everything is connected.
const WARM_UP: usize = 2_000;
/// In how many rooms they are, and how many jobs of a room follow each other.
const ROOMS: usize = 1_000;
const IN_A_ROW: usize = 16;
/// How many jobs are handed in at a time.
const AT_ONCE: usize = 1024;

/// What so many shards spend.
#[derive(Clone, Debug, Serialize)]
pub struct Shards {
    /// How the jobs are spread.
    pub spread: &'static str,
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

/// How jobs are spread over shards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// Each of three queues is on one.
    Queues,
    /// One queue has a partition on each.
    Partitions,
}

/// Runs so many jobs in all on one, two and three shards: through three queues, then through one that is split.
pub async fn shards(jobs: usize) -> anyhow::Result<Vec<Shards>> {
    let mut all: Vec<Shards> = Vec::new();
    for by in [By::Queues, By::Partitions] {
        let mut one = None;
        for count in 1..=QUEUES {
            let mut found = Box::pin(measure(by, count, jobs)).await?;
            found.times = *one.get_or_insert(found.busiest) / found.busiest;
            all.push(found);
        }
    }
    Ok(all)
}

async fn measure(by: By, shards: usize, jobs: usize) -> anyhow::Result<Shards> {
    let topology = Topology::Cluster {
        primaries: shards,
        replicas: 0,
        node_timeout_ms: 5_000,
    };
    let redis = TestRedis::start_as(topology, &on_disk("everysec")).await;
    let names: Vec<_> = match by {
        By::Queues => (0..QUEUES)
            .map(|n| name(&redis, &format!("queue-{n}"), &[n % shards]))
            .collect::<Result<_, _>>()?,
        By::Partitions => {
            let on: Vec<_> = (0..shards).collect();
            vec![name(&redis, "queue", &on)?]
        }
    };
    let mut system = System::launch(
        redis,
        Settings {
            servers: 0,
            workers: 0,
            worker_binary: "bench-worker",
            ..Settings::default()
        },
    );
    let parts = if by == By::Partitions { shards } else { 1 };
    let mut queues = Vec::new();
    for name in names {
        queues.push(Queue::new(&system, name, u16::try_from(parts)?).await?);
    }
    for n in 0..QUEUES {
        let queue = &queues[n % queues.len()];
        // Who serves all shards has for each what one of a single shard has.
        let concurrency = (CONCURRENCY * parts).to_string();
        system.add_worker(&[
            "--queue",
            queue.name.as_str(),
            "--concurrency",
            &concurrency,
        ]);
    }
    system.ready().await;
    let each = jobs / queues.len();
    run(&queues, WARM_UP).await?;
    let before = spent(&system, shards).await?;
    let start = Instant::now();
    run(&queues, each).await?;
    let seconds = start.elapsed().as_secs_f64();
    let after = spent(&system, shards).await?;
    let jobs = each * queues.len();
    let per_100k = 100_000.0 / jobs as f64;
    let cpu: Vec<f64> = before
        .iter()
        .zip(&after)
        .map(|(before, after)| (after - before) * per_100k)
        .collect();
    Ok(Shards {
        spread: match by {
            By::Queues => "three queues",
            By::Partitions => "one queue, a partition on each shard",
        },
        shards,
        jobs,
        per_second: jobs as f64 / seconds,
        busiest: cpu.iter().copied().fold(0.0, f64::max),
        cpu_seconds_per_100k: cpu,
        times: 1.0,
    })
}

/// A name that has the partitions of its queue on these shards.
fn name(redis: &TestRedis, begins: &str, on: &[usize]) -> anyhow::Result<QueueName> {
    let fits = |queue: &QueueName| {
        (0..).zip(on).all(|(index, shard)| {
            partition_name(queue, index)
                .is_ok_and(|part| redis.would_own(&format!("{{{part}}}")) == *shard)
        })
    };
    (0..1_000)
        .filter_map(|k| QueueName::new(format!("{begins}-{k}")).ok())
        .find(fits)
        .context("no name for these shards")
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
    parts: Vec<QueueName>,
    producer: Producer,
    control: Control,
    inspector: Inspector,
}

impl Queue {
    async fn new(system: &System, name: QueueName, parts: u16) -> anyhow::Result<Self> {
        let args = QueueArgs {
            max_waiting: 10_000_000,
            max_waiting_bytes: 16 << 30,
            ..QueueArgs::default()
        };
        let redis = system.connect();
        let control = Control::new(redis.clone(), args.clone());
        if parts > 1 {
            control.partition(&name, parts).await?;
        }
        let inspector = system.inspector();
        Ok(Self {
            parts: inspector.partitions(&name).await?,
            producer: Producer::spawn(
                redis,
                name.clone(),
                args,
                ProducerConfig::default(),
                &TaskTracker::new(),
            ),
            control,
            inspector,
            name,
        })
    }

    async fn fill(&self, jobs: usize) -> anyhow::Result<()> {
        self.control.pause(&self.name, true).await?;
        let rooms: Vec<_> = (0..ROOMS).map(job).collect::<Result<_, _>>()?;
        let submits = futures_util::stream::iter(0..jobs).map(|n| {
            self.producer
                .submit(Producer::new_id(), rooms[n / IN_A_ROW % ROOMS].clone())
        });
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
            let (mut left, mut completed) = (0, 0);
            for part in &self.parts {
                let (counts, totals) = self.inspector.counts(part).await?;
                ensure!(totals.failed == 0, "{} jobs failed", totals.failed);
                left += counts.waiting + counts.active;
                completed += totals.completed;
            }
            if left == 0 {
                return Ok(());
            }
            if completed > last.0 {
                last = (completed, Instant::now());
            }
            ensure!(last.1.elapsed() < PATIENCE, "nothing of {} ends", self.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// As those of the plain protocol: a topic that they share, on which their ends are told.
fn job(room: usize) -> anyhow::Result<Job> {
    let filling = "x".repeat(89);
    Ok(Job {
        kind: Kind::new(NO_OP_KIND)?,
        payload: RawValue::from_string(format!(r#"{{"text":"{filling}"}}"#))?,
        options: JobOptions {
            topic: Some(Topic::new(format!("room-{room}"))?),
            events: EventLevel::Outcome,
            ..JobOptions::default()
        },
    })
}
