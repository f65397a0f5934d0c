//! What a busy tenant costs a quiet one.

use std::time::{Duration, Instant};

use broker::{Delivery, FollowState, QueueArgs, QueueSettings, follow};
use protocol::{Channel, EventType, JobOptions, JobState, Tenant, Topic};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Spread, load::Load};

/// How many jobs the worker runs at a time.
const PLACES: u64 = 8;

/// How long a quiet tenant waits from handing in a job to hearing that it began.
#[derive(Clone, Debug, Serialize)]
pub struct Fairness {
    /// How many jobs of the other tenant wait.
    pub backlog: usize,
    /// How many of them were still left at the end: enough that there always were some.
    pub left: u64,
    /// With the queue to itself.
    pub alone: Spread,
    /// Beside the other tenant, which may be active in all places but one: `queue limits --tenant-max-active 7`.
    pub beside: Spread,
    /// How many times longer its p99 is beside it.
    pub ratio_p99: f64,
    /// Beside the other tenant without any limit. No order of claims can help then: a job of 5 ms is in every place, and
    /// the quiet tenant waits until one of them ends.
    pub unlimited: Spread,
    /// How many times longer its p99 is without a limit.
    pub unlimited_ratio_p99: f64,
}

/// Measures with a worker that runs eight jobs at a time, of about 5 ms each.
pub async fn fairness(backlog: usize, samples: usize) -> Fairness {
    let arguments = ["--concurrency", &PLACES.to_string(), "--chat-work-ms", "5"];
    let load = Load::start(1, &arguments, QueueArgs::default()).await;
    let topic = Topic::new("quiet").expect("a name");
    let channel = Channel {
        queue: Load::queue(),
        topic: topic.clone(),
    };
    let (began, mut begins) = mpsc::channel(1024);
    let (live, mut lives) = mpsc::channel(16);
    let stop = CancellationToken::new();
    TaskTracker::new().spawn(follow(
        load.system.connect(),
        channel,
        move |state| {
            let _ = live.try_send(state);
        },
        move |delivery| {
            if let Delivery::Event(published) = delivery
                && published.event.event == EventType::Started
            {
                let _ = began.try_send(published.event.job);
            }
        },
        stop.clone(),
    ));
    while lives.recv().await != Some(FollowState::Live) {}
    let quiet = JobOptions {
        tenant: Tenant::new("quiet").expect("a name"),
        topic: Some(topic),
        ..JobOptions::default()
    };
    let mut measure = async || {
        let mut times = Vec::with_capacity(samples);
        for _ in 0..samples {
            let start = Instant::now();
            let id = load.submit(quiet.clone()).await.expect("Redis takes jobs");
            while begins.recv().await.expect("it is followed") != id {}
            times.push(start.elapsed());
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        Spread::of(times)
    };
    // Once to warm up.
    measure().await;
    let alone = measure().await;
    let busy = JobOptions {
        tenant: Tenant::new("busy").expect("a name"),
        topic: Some(Topic::new("busy").expect("a name")),
        events: protocol::EventLevel::Outcome,
        ..JobOptions::default()
    };
    load.pause(true).await;
    load.fill(backlog, &busy).await;
    load.pause(false).await;
    let unlimited = measure().await;
    let mut settings = QueueSettings::default();
    settings.tenants.max_active = Some(PLACES - 1);
    load.control
        .set(&Load::queue(), &settings)
        .await
        .expect("Redis answers");
    let beside = measure().await;
    let left = load.count(JobState::Waiting).await;
    stop.cancel();
    Fairness {
        backlog,
        left,
        ratio_p99: beside.p99 / alone.p99,
        unlimited_ratio_p99: unlimited.p99 / alone.p99,
        alone,
        beside,
        unlimited,
    }
}
