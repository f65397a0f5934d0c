//! So many jobs through the scripts of a Redis that somebody else started and looks at: `scripts REDIS_URL LOAD STEPS BATCH
//! JOBS`. `cargo xtask instructions` counts what Redis spends on it.
//!
//! Everything happens in turn and in batches of exactly one size, so that two runs ask the same of Redis. Measures nothing
//! by itself.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use broker::{
    Producer, ProducerConfig, QueueArgs, Redis, RedisArgs, TlsArgs,
    testing::{Act, Puppet, What, fresh},
};
use futures_util::future::join_all;
use protocol::{
    CHAT_KIND, CHAT_QUEUE, EventLevel, Job, JobId, JobOptions, Kind, LOBBY_TOPIC, QueueName, Topic,
};
use serde_json::value::RawValue;
use tokio::task::unconstrained;
use tokio_util::task::TaskTracker;

/// Longer than a run under a tool that counts instructions.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the jobs are.
#[derive(Clone, Copy)]
enum Load {
    /// Each has a channel of its own and tells everything that happens to it.
    Jobs,
    /// As the plain protocol makes them: all on one channel, announced, only their end is told.
    Chat,
}

/// What happens to them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Steps {
    /// They are stored.
    Enqueue,
    /// Each batch that is stored is taken by the worker's next round, and completed by the one after.
    All,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, load, steps, batch, jobs] = args.as_slice() else {
        // Where all benchmarks are run there is no Redis to look at.
        return Ok(());
    };
    let load = match load.as_str() {
        "jobs" => Load::Jobs,
        "chat" => Load::Chat,
        other => bail!("`{other}` is no load"),
    };
    let steps = match steps.as_str() {
        "enqueue" => Steps::Enqueue,
        "all" => Steps::All,
        other => bail!("`{other}` are no steps"),
    };
    let batch: usize = batch.parse().context("the size of a batch")?;
    let jobs: usize = jobs.parse().context("the number of jobs")?;
    ensure!(
        batch > 0 && jobs.is_multiple_of(batch),
        "only whole batches"
    );
    run(url, load, steps, batch, jobs).await
}

async fn run(url: &str, load: Load, steps: Steps, batch: usize, jobs: usize) -> anyhow::Result<()> {
    let redis = Redis::new(&RedisArgs {
        redis_url: url.to_owned(),
        key_prefix: "bench".to_owned(),
        redis_timeout_ms: 600_000,
        tls: TlsArgs::default(),
    })?;
    let queue = QueueName::new(CHAT_QUEUE)?;
    let tracker = TaskTracker::new();
    let config = ProducerConfig {
        accept_timeout: PATIENCE,
        max_batch: batch,
        ..ProducerConfig::default()
    };
    let args = QueueArgs::default();
    let producer = Producer::spawn(redis.clone(), queue.clone(), args.clone(), config, &tracker);
    let mut worker = Puppet::new(redis, queue, args, "worker", &[Kind::new(CHAT_KIND)?]);
    worker.beat(PATIENCE, &[]).await?;

    let mut acts = Vec::new();
    for first in (0..jobs).step_by(batch) {
        let submits = (first..first + batch).map(|number| submit(&producer, load, number));
        // All are handed in before the storing task runs, so they are one batch.
        for stored in unconstrained(join_all(submits)).await {
            stored?;
        }
        if steps == Steps::All {
            acts = round(&mut worker, &acts, batch).await?;
            ensure!(acts.len() == batch, "{} of {batch} jobs", acts.len());
        }
    }
    if !acts.is_empty() {
        round(&mut worker, &acts, batch).await?;
    }
    Ok(())
}

async fn submit(producer: &Producer, load: Load, number: usize) -> anyhow::Result<()> {
    let text = |text: String| RawValue::from_string(text);
    let options = match load {
        Load::Jobs => JobOptions::default(),
        Load::Chat => JobOptions {
            topic: Some(Topic::new(LOBBY_TOPIC)?),
            events: EventLevel::Outcome,
            announce: Some(text(format!(
                "\"message {number:08} with forty characters\""
            ))?),
            ..JobOptions::default()
        },
    };
    let payload = text(format!(
        r#"{{"msg":"message {number:08} with forty characters"}}"#
    ))?;
    let job = Job {
        kind: Kind::new(CHAT_KIND)?,
        payload,
        options,
    };
    // Numbered ids: the same keys in every run.
    let id = JobId::from_parts(1_700_000_000_000 + number as u64, number as u128);
    let receipt = producer.submit(fresh(id), job).await?;
    ensure!(!receipt.duplicate, "{id} was there already");
    Ok(())
}

/// Completes what the last round took, and takes the next batch.
async fn round(worker: &mut Puppet, acts: &[Act], want: usize) -> anyhow::Result<Vec<Act>> {
    let answer = worker.round(acts, want, PATIENCE).await?;
    ensure!(
        answer.written.iter().all(|written| *written),
        "a late result"
    );
    let complete = |held: broker::testing::Held| {
        let result = RawValue::from_string(
            r#"{"msg":"message with forty characters, or so","time":1700000000000}"#.to_owned(),
        )?;
        Ok(Act {
            id: held.id,
            attempt: held.attempt,
            what: What::Complete(result),
        })
    };
    answer.claims.into_iter().map(complete).collect()
}
