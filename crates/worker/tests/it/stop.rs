//! What a whole worker does with an attempt that does not listen when it must stop at once.

use std::process::ExitCode;

use broker::{
    Inspector, Producer, ProducerConfig, QueueArgs,
    testing::{TestRedis, until},
};
use clap::Parser as _;
use protocol::{Job, JobOptions, JobState, QueueName};
use serde_json::value::RawValue;
use service::Lifecycle;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use worker::{App, JobError, Registry, State, WorkerArgs};

use crate::functions::kind;

async fn deaf(State(started): State<mpsc::Sender<()>>, (): ()) -> Result<(), JobError> {
    started.send(()).await.unwrap();
    std::future::pending().await
}

#[tokio::test]
async fn a_deaf_attempt_ends_with_its_worker_and_its_job_waits_again() {
    let server = TestRedis::start().await;
    let url = server.url();
    let args = WorkerArgs::parse_from([
        "worker",
        "--redis-url",
        &url,
        "--health-listen",
        "127.0.0.1:0",
    ]);
    let lifecycle = Lifecycle::new(args.shutdown.grace()).unwrap();
    let (started, mut starts) = mpsc::channel(1);
    let registry = Registry::with_state(started).register(kind("deaf"), deaf);
    let prefix = args.redis.key_prefix.clone();
    App::build(args, registry)
        .await
        .unwrap()
        .spawn(&lifecycle.handle())
        .unwrap();

    let redis = server.connect(&prefix);
    let queue = QueueName::new(protocol::CHAT_QUEUE).unwrap();
    let tracker = TaskTracker::new();
    let config = ProducerConfig::default();
    let keep = QueueArgs::default();
    let producer = Producer::spawn(redis.clone(), queue.clone(), keep, config, &tracker);
    let id = Producer::new_id();
    let job = Job {
        kind: kind("deaf"),
        payload: RawValue::NULL.to_owned(),
        options: JobOptions::default(),
    };
    producer.submit(id, job).await.unwrap();
    assert_eq!(starts.recv().await, Some(()));

    lifecycle.hard().cancel();
    // A failure would mean that tasks did not stop.
    assert_eq!(lifecycle.run().await, ExitCode::SUCCESS);
    let inspector = Inspector::new(redis);
    until("the job waits again", async || {
        let record = inspector.get(&queue, id).await.ok()??;
        (record.state == JobState::Waiting).then_some(())
    })
    .await;
}
