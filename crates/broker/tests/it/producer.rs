//! What a submitter is told, and when.

use std::time::Duration;

use broker::{
    Producer, ProducerConfig, QueueArgs, SubmitError,
    testing::{TestRedis, until},
};
use futures_util::future::join_all;
use protocol::{InvalidJob, JobOptions, QueueName};
use tokio_util::task::TaskTracker;

use crate::rig::{Rig, job};

#[tokio::test]
async fn the_same_id_is_stored_once() {
    let rig = Rig::new().await;
    let id = Producer::new_id();
    let first = rig
        .producer
        .submit(id, job("1", JobOptions::default()))
        .await
        .unwrap();
    let second = rig
        .producer
        .submit(id, job("2", JobOptions::default()))
        .await
        .unwrap();
    assert!(!first.duplicate && second.duplicate);
    assert_eq!((first.offset, second.offset), (1, 1));
    assert_eq!(first.epoch, second.epoch);
    assert_eq!(rig.get(id).await.payload.unwrap().get(), "1");
    assert_eq!(rig.inspector.counts(&rig.queue).await.unwrap().0.waiting, 1);
}

#[tokio::test]
async fn many_at_once_are_all_stored() {
    let rig = Rig::new().await;
    let submits = (0..1000).map(|n| {
        let producer = rig.producer.clone();
        async move {
            producer
                .submit(
                    Producer::new_id(),
                    job(&n.to_string(), JobOptions::default()),
                )
                .await
        }
    });
    assert!(join_all(submits).await.iter().all(Result::is_ok));
    let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((counts.waiting, totals.enqueued), (1000, 1000));
}

#[tokio::test]
async fn a_job_over_a_limit_is_refused() {
    let rig = Rig::new().await;
    let options = JobOptions {
        max_attempts: 1000,
        ..JobOptions::default()
    };
    let error = rig
        .producer
        .submit(Producer::new_id(), job("1", options))
        .await
        .unwrap_err();
    assert_eq!(error, SubmitError::Invalid(InvalidJob::Attempts(1000)));
}

#[tokio::test]
async fn a_job_is_stored_once_redis_comes() {
    let mut server = TestRedis::stopped(&[]);
    let rig = Rig::on(TestRedis::stopped(&[]), QueueArgs::default());
    drop(rig);
    let producer = Producer::spawn(
        server.connect("test"),
        QueueName::new("chat").unwrap(),
        QueueArgs::default(),
        ProducerConfig {
            accept_timeout: Duration::from_secs(60),
            ..ProducerConfig::default()
        },
        &TaskTracker::new(),
    );
    let submit = producer.submit(Producer::new_id(), job("1", JobOptions::default()));
    let (receipt, ()) = tokio::join!(submit, server.run());
    assert_eq!(receipt.unwrap().offset, 1);
}

#[tokio::test]
async fn a_submitter_is_told_when_redis_does_not_come() {
    let server = TestRedis::stopped(&[]);
    let producer = Producer::spawn(
        server.connect("test"),
        QueueName::new("chat").unwrap(),
        QueueArgs::default(),
        ProducerConfig {
            accept_timeout: Duration::from_millis(200),
            ..ProducerConfig::default()
        },
        &TaskTracker::new(),
    );
    let submit = producer.submit(Producer::new_id(), job("1", JobOptions::default()));
    assert_eq!(submit.await.unwrap_err(), SubmitError::Unconfirmed);
}

/// Waits until the queue is found, has its name lost, and waits until it is found again.
async fn found_again(rig: &Rig) {
    let found = async || {
        until("the queue is found", async || {
            let found = rig.inspector.queues().await.unwrap();
            (found == [rig.queue.clone()]).then_some(())
        })
        .await;
    };
    found().await;
    let _: u64 = rig.server.command(&["DEL", "test:queues"]).await;
    found().await;
}

#[tokio::test]
async fn a_queue_whose_name_was_lost_is_found_again_although_nothing_is_handed_in() {
    let rig = Rig::new().await;
    rig.submit("1", JobOptions::default()).await;
    found_again(&rig).await;
}

#[tokio::test]
async fn a_queue_with_a_worker_is_found_without_any_job() {
    let rig = Rig::new().await;
    let setup = crate::rig::Setup::default();
    let worker = rig.worker("w", setup, async |_, _| Ok("0".into()));
    found_again(&rig).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_full_redis_refuses_new_jobs_and_lets_running_ones_finish() {
    let rig = Rig::new().await;
    let id = rig.submit("1", JobOptions::default()).await;
    let _: String = rig
        .server
        .command(&["CONFIG", "SET", "maxmemory", "1"])
        .await;
    let refused = rig
        .producer
        .submit(Producer::new_id(), job("2", JobOptions::default()))
        .await;
    assert_eq!(refused.unwrap_err(), SubmitError::Full);
    let worker = rig.worker("w", crate::rig::Setup::default(), async |_, _| {
        Ok("0".into())
    });
    rig.until_state(id, protocol::JobState::Completed).await;
    let _: String = rig
        .server
        .command(&["CONFIG", "SET", "maxmemory", "0"])
        .await;
    rig.submit("3", JobOptions::default()).await;
    worker.stop().await;
}

#[tokio::test]
async fn nobody_waits_for_redis_once_the_process_must_stop() {
    let server = TestRedis::stopped(&[]);
    let tracker = TaskTracker::new();
    let hard = tokio_util::sync::CancellationToken::new();
    let producer = Producer::spawn(
        server.connect("test"),
        QueueName::new("chat").unwrap(),
        QueueArgs::default(),
        ProducerConfig {
            accept_timeout: Duration::from_secs(3600),
            hard: hard.clone(),
            ..ProducerConfig::default()
        },
        &tracker,
    );
    let submit = producer.submit(Producer::new_id(), job("1", JobOptions::default()));
    let stop = async { hard.cancel() };
    let (receipt, ()) = tokio::join!(submit, stop);
    assert_eq!(receipt.unwrap_err(), SubmitError::Unconfirmed);
    drop(producer);
    tracker.close();
    tokio::time::timeout(broker::testing::PATIENCE, tracker.wait())
        .await
        .unwrap();
}
