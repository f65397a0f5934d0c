//! BullMQ's Rust crate alone: adds no-op jobs in bulk, then processes them, and says what that took.
//!
//! Time is this program's, CPU and memory are Redis'.

use std::time::Instant;

use anyhow::{Context as _, bail};
use bullmq::{
    BulkJob, Job, Queue, QueueOptions, Worker, WorkerOptions,
    options::RedisConnectionOptions,
    types::RemoveOnFinish,
    worker::{CancellationToken, WorkerEvent},
};
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How many jobs are added at a time: of 100 to 10,000, all but the most did alike.
const CHUNK: u32 = 1_000;
/// How many jobs go before what is measured, so that everything is connected.
const WARM_UP: u32 = 2_000;

#[derive(Deserialize)]
struct Settings {
    redis: String,
    jobs: u32,
    concurrency: usize,
    payload: usize,
    keep: usize,
}

#[derive(Serialize)]
struct Figures {
    add_seconds: f64,
    process_seconds: f64,
    add_cpu: f64,
    process_cpu: f64,
    memory_empty: u64,
    memory_waiting: u64,
    memory_finished: u64,
}

/// Seconds of CPU of Redis' main thread so far, and the bytes that it holds.
struct Usage {
    cpu: f64,
    memory: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = std::env::args().nth(1).context("no settings")?;
    let settings: Settings = serde_json::from_str(&settings)?;
    let client = redis::Client::open(settings.redis.as_str())?;
    let mut watcher = client.get_multiplexed_async_connection().await?;
    both("warm-up", WARM_UP, &settings, &mut watcher).await?;
    let figures = both("jobs", settings.jobs, &settings, &mut watcher).await?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

async fn both(
    name: &str,
    jobs: u32,
    settings: &Settings,
    watcher: &mut MultiplexedConnection,
) -> anyhow::Result<Figures> {
    let keep = RemoveOnFinish::Count(settings.keep);
    let connection = RedisConnectionOptions {
        url: settings.redis.clone(),
        ..RedisConnectionOptions::default()
    };
    let options = QueueOptions {
        connection: connection.clone(),
        ..QueueOptions::default()
    };
    let queue = Queue::with_options(name, options).await?;
    let empty = usage(watcher).await?;

    let start = Instant::now();
    add(&queue, jobs, settings.payload).await?;
    let add_seconds = start.elapsed().as_secs_f64();
    let waiting = usage(watcher).await?;

    let options = WorkerOptions {
        connection,
        concurrency: settings.concurrency,
        // What is set at a job is kept with each job, and costs memory.
        remove_on_complete: Some(keep.clone()),
        remove_on_fail: Some(keep),
        ..WorkerOptions::default()
    };
    let start = Instant::now();
    let worker = Worker::with_options(name, nothing, options).await?;
    completed(&worker, jobs).await?;
    let process_seconds = start.elapsed().as_secs_f64();
    let finished = usage(watcher).await?;
    worker.close(5_000).await?;
    Ok(Figures {
        add_seconds,
        process_seconds,
        add_cpu: waiting.cpu - empty.cpu,
        process_cpu: finished.cpu - waiting.cpu,
        memory_empty: empty.memory,
        memory_waiting: waiting.memory,
        memory_finished: finished.memory,
    })
}

async fn nothing(_: Job, _: CancellationToken) -> Result<Value, bullmq::Error> {
    Ok(Value::Null)
}

/// Adds jobs whose data is `payload` bytes of JSON.
async fn add(queue: &Queue, jobs: u32, payload: usize) -> anyhow::Result<()> {
    let around = json!({ "text": "" }).to_string().len();
    let data = json!({ "text": "x".repeat(payload.saturating_sub(around)) });
    let mut added = 0;
    while added < jobs {
        let count = CHUNK.min(jobs - added);
        let chunk = (0..count).map(|_| BulkJob::new("nothing", &data)).collect();
        queue.add_bulk(chunk).await?;
        added += count;
    }
    Ok(())
}

/// Waits until so many jobs are completed.
async fn completed(worker: &Worker, jobs: u32) -> anyhow::Result<()> {
    let mut done = 0;
    while done < jobs {
        match worker.next_event().await.context("the worker ended")? {
            WorkerEvent::Completed { .. } => done += 1,
            WorkerEvent::Failed { error, .. } | WorkerEvent::Error(error) => bail!(error),
            _ => {}
        }
    }
    Ok(())
}

async fn usage(watcher: &mut MultiplexedConnection) -> anyhow::Result<Usage> {
    let info: String = redis::cmd("INFO")
        .arg("cpu")
        .arg("memory")
        .query_async(watcher)
        .await?;
    let field = |name: &str| {
        let value = info.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key == name).then(|| value.trim())
        });
        value.with_context(|| format!("INFO has no {name}"))
    };
    let user: f64 = field("used_cpu_user_main_thread")?.parse()?;
    let system: f64 = field("used_cpu_sys_main_thread")?.parse()?;
    Ok(Usage {
        cpu: user + system,
        memory: field("used_memory")?.parse()?,
    })
}
