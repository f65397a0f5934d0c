//! What took the model (`model.rs`) to find, in a few steps each, by workers that are moved by hand.

use std::time::Duration;

use broker::{
    Control, Producer, QueueArgs, SubmitError,
    testing::{Act, Puppet, TestRedis, What},
};
use protocol::{EventLevel, EventType, InvalidJob, JobOptions, JobState, Kind, Topic};
use serde_json::value::{RawValue, to_raw_value};

use crate::rig::{Rig, job};

const LEASE: Duration = Duration::from_secs(60);

pub fn puppet(rig: &Rig, name: &str, kinds: &[&str]) -> Puppet {
    let kinds: Vec<_> = kinds.iter().map(|kind| Kind::new(kind).unwrap()).collect();
    Puppet::new(
        rig.redis.clone(),
        rig.queue.clone(),
        rig.args.clone(),
        name,
        &kinds,
    )
}

#[tokio::test]
async fn a_worker_of_every_kind_has_each() {
    let rig = Rig::new().await;
    let (mut picky, mut all) = (puppet(&rig, "picky", &["other"]), puppet(&rig, "all", &[]));
    all.beat(LEASE, &[]).await.unwrap();
    let id = rig.submit("1", JobOptions::default()).await;
    assert!(picky.round(&[], 1, LEASE).await.unwrap().claims.is_empty());
    rig.maintenance().run(&rig.queue).await.unwrap();
    assert_eq!(rig.get(id).await.state, JobState::Waiting);
    let claims = all.round(&[], 1, LEASE).await.unwrap().claims;
    assert_eq!(claims[0].id, id);

    // Once it has left, nobody has it.
    all.leave().await.unwrap();
    let id = rig.submit("2", JobOptions::default()).await;
    picky.round(&[], 1, LEASE).await.unwrap();
    assert_eq!(rig.get(id).await.state, JobState::Failed);
}

#[tokio::test]
async fn a_kind_is_known_for_the_longest_of_its_leases() {
    let rig = Rig::new().await;
    let (long, short) = (
        puppet(&rig, "long", &["test"]),
        puppet(&rig, "short", &["test"]),
    );
    long.beat(LEASE * 60, &[]).await.unwrap();
    short.beat(LEASE, &[]).await.unwrap();
    let kept: u64 = rig.server.command(&["TTL", "test{chat}:kind:test"]).await;
    assert!(kept >= 60 * LEASE.as_secs(), "{kept} s");
}

fn zero() -> Box<RawValue> {
    RawValue::from_string("0".into()).unwrap()
}

#[tokio::test]
async fn a_cancellation_that_came_with_a_repeated_answer_leaves_no_mark() {
    let rig = Rig::new().await;
    let mut worker = puppet(&rig, "w", &[]);
    let outcome = JobOptions {
        events: EventLevel::Outcome,
        ..JobOptions::default()
    };
    let id = rig.submit("1", outcome).await;
    worker.round(&[], 1, LEASE).await.unwrap();
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    control.cancel(&rig.queue, &[id], None).await.unwrap();
    assert!(worker.repeat().await.unwrap().claims[0].cancelled);
    let act = Act {
        id,
        attempt: 1,
        what: What::Complete(zero()),
    };
    let answer = worker.round(&[act], 0, LEASE).await.unwrap();
    assert_eq!(answer.written, [true]);
    let record = rig.get(id).await;
    assert_eq!(
        (record.state, record.cancel_at),
        (JobState::Completed, None)
    );
}

#[tokio::test]
async fn a_forgotten_job_is_still_known_by_its_key() {
    let args = QueueArgs {
        keep_completed_secs: 0,
        ..QueueArgs::default()
    };
    let rig = Rig::on(TestRedis::start().await, args);
    let mut worker = puppet(&rig, "w", &[]);
    let keyed = JobOptions {
        key: Some("a".parse().unwrap()),
        ..JobOptions::default()
    };
    let id = rig.submit("1", keyed.clone()).await;
    worker.round(&[], 1, LEASE).await.unwrap();
    let act = Act {
        id,
        attempt: 1,
        what: What::Complete(zero()),
    };
    worker.round(&[act], 0, LEASE).await.unwrap();
    rig.maintenance().run(&rig.queue).await.unwrap();
    let gone = rig.inspector.get(&rig.queue, id).await.unwrap();
    assert!(gone.is_none());
    let again = rig.producer.submit(id, job("1", keyed)).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(rig.inspector.counts(&rig.queue).await.unwrap().0.waiting, 0);
}

#[tokio::test]
async fn events_that_just_fill_a_message_keep_their_places() {
    let rig = Rig::new().await;
    let mut worker = puppet(&rig, "w", &[]);
    let id = rig.submit("1", JobOptions::default()).await;
    worker.round(&[], 1, LEASE).await.unwrap();
    let long = to_raw_value(&"x".repeat(60_000)).unwrap();
    let emit = |data: &RawValue| Act {
        id,
        attempt: 1,
        what: What::Emit(EventType::Chunk, data.to_owned()),
    };
    // With the last of these the message is full, so that nothing is left for the end of the script.
    let full: Vec<_> = (0..5).map(|_| emit(&long)).collect();
    worker.round(&full, 0, LEASE).await.unwrap();
    worker.round(&[emit(&zero())], 0, LEASE).await.unwrap();
    let offsets: Vec<_> = rig.events(&id).await.into_iter().map(|(n, _)| n).collect();
    // queued, started, five long ones and one more
    assert_eq!(offsets, (1..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_epoch_that_was_told_is_the_one_that_the_log_goes_on_under() {
    let mut rig = Rig::on(TestRedis::durable().await, QueueArgs::default());
    let outcome = JobOptions {
        events: EventLevel::Outcome,
        ..JobOptions::default()
    };
    let id = rig.submit("1", outcome.clone()).await;
    rig.server.kill();
    rig.server.run().await;
    let told = rig.producer.submit(id, job("1", outcome)).await.unwrap();
    let mut worker = puppet(&rig, "w", &[]);
    worker.round(&[], 1, LEASE).await.unwrap();
    let act = Act {
        id,
        attempt: 1,
        what: What::Complete(zero()),
    };
    worker.round(&[act], 0, LEASE).await.unwrap();
    let feed = broker::Feed::topic(rig.redis.prefix(), &rig.channel(&id));
    let page = rig.redis.log(&feed, broker::Part::After(0), 10, 1_000);
    let top = page.await.unwrap().top.position;
    assert_eq!((top.epoch, top.offset), (told.epoch, 1));
}

#[tokio::test]
async fn the_channel_of_a_job_is_its_own() {
    let rig = Rig::new().await;
    let id = rig.submit("1", JobOptions::default()).await;
    let on = |topic: String| JobOptions {
        topic: Some(Topic::new(topic).unwrap()),
        ..JobOptions::default()
    };
    let own = Producer::new_id();
    let refused = rig.producer.submit(own, job("1", on(id.to_string()))).await;
    assert_eq!(
        refused.unwrap_err(),
        SubmitError::Invalid(InvalidJob::Topic)
    );
    let taken = rig
        .producer
        .submit(own, job("1", on(own.to_string())))
        .await;
    assert!(taken.is_ok());
}

#[tokio::test]
async fn a_long_payload_is_apart_and_what_else_is_known_is_not() {
    let rig = Rig::new().await;
    let options = JobOptions {
        timeout_ms: Some(7_000),
        ..JobOptions::default()
    };
    let payload = format!("\"{}\"", "x".repeat(5_000));
    let id = rig.submit(&payload, options).await;
    let record = rig.get(id).await;
    assert_eq!(record.payload.unwrap().get(), payload);
    assert_eq!(record.timeout_ms, Some(7_000));
    let mut worker = puppet(&rig, "w", &[]);
    let claims = worker.round(&[], 1, LEASE).await.unwrap().claims;
    let claimed = claims[0].job.as_ref().unwrap();
    assert_eq!(claimed.payload.get(), payload);
    assert_eq!(claimed.options.timeout_ms, Some(7_000));
    let act = Act {
        id,
        attempt: 1,
        what: What::Complete(zero()),
    };
    worker.round(&[act], 0, LEASE).await.unwrap();
    let record = rig.get(id).await;
    assert_eq!(record.payload.unwrap().get(), payload);
    assert_eq!(record.result.unwrap().get(), "0");
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    control.delete(&rig.queue, &[id]).await.unwrap();
    let left: Vec<String> = rig.server.command(&["KEYS", &format!("*{id}*")]).await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn what_only_workers_read_is_counted_as_waiting_and_counted_out() {
    let rig = Rig::new().await;
    let levels = [EventLevel::All, EventLevel::Outcome];
    for (events, key) in levels.into_iter().zip(["a", "b"]) {
        for key in [None, Some(key.parse().unwrap())] {
            let options = JobOptions {
                timeout_ms: Some(7_000),
                events,
                key,
                ..JobOptions::default()
            };
            rig.submit("1", options).await;
        }
    }
    let held: u64 = rig
        .server
        .command(&["HGET", "test{chat}:count", "bytes"])
        .await;
    assert!(held > 4, "{held}");
    let mut worker = puppet(&rig, "w", &[]);
    let claims = worker.round(&[], 4, LEASE).await.unwrap().claims;
    assert_eq!(claims.len(), 4);
    let held: u64 = rig
        .server
        .command(&["HGET", "test{chat}:count", "bytes"])
        .await;
    assert_eq!(held, 0);
}

#[tokio::test]
async fn a_round_that_comes_late_does_nothing() {
    let rig = Rig::new().await;
    let mut worker = puppet(&rig, "w", &[]);
    let ids = [
        rig.submit("1", JobOptions::default()).await,
        rig.submit("2", JobOptions::default()).await,
    ];
    let claims = worker
        .round_numbered(7, &[], 1, LEASE)
        .await
        .unwrap()
        .claims;
    assert_eq!(claims[0].id, ids[0]);
    // Held up on a connection that was given up.
    let late = worker.round_numbered(5, &[], 1, LEASE).await.unwrap();
    assert!(late.claims.is_empty());
    assert_eq!(rig.get(ids[1]).await.state, JobState::Waiting);
    // The answer of the newer one is still remembered.
    let again = worker
        .round_numbered(7, &[], 1, LEASE)
        .await
        .unwrap()
        .claims;
    assert_eq!(again[0].id, ids[0]);
}
