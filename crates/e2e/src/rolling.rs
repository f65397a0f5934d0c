//! A rolling restart of all servers and workers, one after the other, while clients follow streams of jobs.
//!
//! A fresh process is ready before an old one is told to stop, as on Kubernetes. What each client got is compared with
//! the logs; how their reconnects spread over the drain window is counted.

mod balancer;
mod follower;
mod verdict;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use broker::{Feed, Part, Producer, ProducerConfig, QueueArgs, testing::until};
use protocol::{Channel, Job, JobId, JobOptions, Kind, Topic};
use serde_json::value::RawValue;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Settings, System};

use balancer::Balancer;
use follower::{Follower, Seen, digest};

pub use verdict::Verdict;

/// How many pieces each stream has, and how long it rests before each.
const CHUNKS: u32 = 10;
const PAUSE_MS: u32 = 100;
/// How many events of a log are read at a time.
const PAGE: usize = 1_000;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many servers are restarted.
    pub servers: usize,
    /// How many workers are restarted.
    pub workers: usize,
    /// How many clients follow.
    pub clients: usize,
    /// How many streams there are to follow, all at the same time.
    pub channels: usize,
    /// Over how many milliseconds a server spreads its closes.
    pub drain_ms: u64,
    /// How many jobs are handed in a second.
    pub rate: u32,
}

/// What the log of a channel says: offsets, and what each event is.
struct Truth {
    events: Vec<(u64, String)>,
}

/// Tries it.
pub async fn run(plan: Plan) -> anyhow::Result<Verdict> {
    let drain = ["--drain-window-ms".to_owned(), plan.drain_ms.to_string()];
    let mut system = System::start(Settings {
        servers: plan.servers,
        workers: plan.workers,
        server: drain.into(),
        worker_binary: "test-worker",
        ..Settings::default()
    })
    .await;
    let balancer = Balancer::default();
    for server in &system.servers {
        balancer.add(server.port());
    }
    let tracker = TaskTracker::new();
    let stop = CancellationToken::new();
    let channels = channels(plan.channels);
    let seen: Vec<_> = (0..plan.clients).map(|_| Arc::<Seen>::default()).collect();
    for (n, seen) in seen.iter().enumerate() {
        let follower = Follower {
            channel: channels[n % channels.len()].to_string(),
            balancer: balancer.clone(),
            seen: Arc::clone(seen),
        };
        tracker.spawn(stop.clone().run_until_cancelled_owned(follower.run()));
    }
    until("all clients follow", async || {
        seen.iter().all(|seen| seen.follows()).then_some(())
    })
    .await;

    let loading = stop.child_token();
    let accepted = tracker.spawn(load(
        plan,
        system.connect(),
        channels.clone(),
        loading.clone(),
    ));
    let began = Instant::now();
    let strikes = restart(&mut system, plan, &balancer, &seen).await;
    let took = began.elapsed();
    loading.cancel();
    let jobs = accepted.await.context("the load ends")??;
    settle(&system).await;

    let mut truths = Vec::new();
    for channel in &channels {
        truths.push(truth(&system, channel).await?);
    }
    until("every client has come to the end", async || {
        let ends = seen.iter().enumerate().all(|(n, seen)| {
            let last = truths[n % truths.len()].events.last();
            seen.last() >= last.map_or(0, |(offset, _)| *offset)
        });
        ends.then_some(())
    })
    .await;
    stop.cancel();
    tracker.close();
    tracker.wait().await;
    Ok(Verdict::of(plan, &jobs, &truths, &seen, &strikes, took))
}

fn channels(count: usize) -> Vec<Channel> {
    let channel = |n| Channel {
        queue: System::chat(),
        topic: Topic::new(format!("stream-{n}")).expect("that is a name"),
    };
    (0..count).map(channel).collect()
}

/// Hands jobs in until it is told to stop; says which were accepted.
async fn load(
    plan: Plan,
    redis: broker::Redis,
    channels: Vec<Channel>,
    stop: CancellationToken,
) -> anyhow::Result<Vec<JobId>> {
    let producer = Producer::spawn(
        redis,
        System::chat(),
        QueueArgs::default(),
        ProducerConfig::default(),
        &TaskTracker::new(),
    );
    let payload = format!(r#"{{"chunks":{CHUNKS},"pause_ms":{PAUSE_MS}}}"#);
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / plan.rate.max(1));
    let mut accepted = Vec::new();
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let channel = &channels[accepted.len() % channels.len()];
        let id = Producer::new_id();
        let job = Job {
            kind: Kind::new("stream")?,
            payload: RawValue::from_string(payload.clone())?,
            options: JobOptions {
                topic: Some(channel.topic.clone()),
                ..JobOptions::default()
            },
        };
        producer.submit(id, job).await?;
        accepted.push(id);
    }
    Ok(accepted)
}

/// A server that was told to stop: where it was, and when.
struct Strike {
    port: u16,
    at: Instant,
}

/// Replaces every server and every worker, one after the other.
async fn restart(
    system: &mut System,
    plan: Plan,
    balancer: &Balancer,
    seen: &[Arc<Seen>],
) -> Vec<Strike> {
    let mut strikes = Vec::new();
    for n in 0..plan.servers {
        let fresh = system.add_server();
        fresh.until_ready(200).await;
        let port = fresh.port();
        balancer.add(port);
        let old = &mut system.servers[n];
        balancer.remove(old.port());
        strikes.push(Strike {
            port: old.port(),
            at: Instant::now(),
        });
        old.terminate().await;
        until("all clients are back", async || {
            seen.iter().all(|seen| seen.follows()).then_some(())
        })
        .await;
    }
    for n in 0..plan.workers {
        system.add_worker(&[]).until_ready(200).await;
        system.workers[n].terminate().await;
    }
    strikes
}

/// Waits until every job is over.
async fn settle(system: &System) {
    let inspector = system.inspector();
    until("every job is over", async || {
        let (counts, _) = inspector.counts(&System::chat()).await.ok()?;
        (counts.waiting + counts.active + counts.delayed == 0).then_some(())
    })
    .await;
}

async fn truth(system: &System, channel: &Channel) -> anyhow::Result<Truth> {
    let redis = system.connect();
    let feed = Feed::topic(redis.prefix(), channel);
    let mut events = Vec::new();
    loop {
        let from = events.last().map_or(0, |(offset, _)| *offset);
        let page = redis
            .log(&feed, Part::After(from), PAGE, usize::MAX)
            .await?;
        if page.entries.is_empty() {
            break;
        }
        for (offset, text) in page.entries {
            events.push((offset, text));
        }
    }
    let dense = events.iter().zip(1..).all(|((offset, _), n)| *offset == n);
    ensure!(
        dense,
        "the log of {channel} was trimmed: fewer jobs, or more channels"
    );
    Ok(Truth { events })
}
