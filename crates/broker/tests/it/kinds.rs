//! Kinds that some workers know and others do not, as while a new version is rolled out.

use std::sync::{Arc, Mutex};

use broker::testing::until;
use protocol::{FailureCode, Job, JobOptions, JobState, Kind};
use serde_json::value::RawValue;

use crate::rig::{Rig, Setup, Worker};

fn of(kind: &str) -> Job {
    Job {
        kind: Kind::new(kind).unwrap(),
        payload: RawValue::from_string("1".into()).unwrap(),
        options: JobOptions::default(),
    }
}

type Ran = Arc<Mutex<Vec<(&'static str, String)>>>;

fn worker(rig: &Rig, name: &'static str, kinds: &'static [&'static str], ran: &Ran) -> Worker {
    let ran = Arc::clone(ran);
    let setup = Setup {
        kinds,
        ..Setup::default()
    };
    rig.worker(name, setup, move |_, job| {
        ran.lock().unwrap().push((name, job.kind.to_string()));
        async { Ok("0".into()) }
    })
}

async fn known(rig: &Rig, kind: &str) {
    until(&format!("{kind} is known"), async || {
        let workers = rig.inspector.workers(&rig.queue).await.unwrap();
        let has = |worker: &broker::WorkerStatus| worker.kinds.iter().any(|k| k.as_str() == kind);
        workers.iter().any(has).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_job_goes_to_a_worker_that_knows_its_kind_without_spending_an_attempt() {
    let rig = Rig::new().await;
    let ran = Ran::default();
    let old = worker(&rig, "old", &["a"], &ran);
    let new = worker(&rig, "new", &["a", "b"], &ran);
    known(&rig, "b").await;
    known(&rig, "a").await;
    let mut ids = Vec::new();
    for n in 0..60 {
        let id = broker::Producer::new_id();
        let kind = if n % 2 == 0 { "a" } else { "b" };
        rig.producer.submit(id, of(kind)).await.unwrap();
        ids.push(id);
    }
    for id in &ids {
        let record = rig.until_state(*id, JobState::Completed).await;
        assert_eq!((record.attempt, record.handed_back), (1, 0));
    }
    assert!(!ran.lock().unwrap().contains(&("old", "b".to_owned())));
    let left: Vec<String> = rig.server.command(&["KEYS", "test{chat}:aside*"]).await;
    assert!(left.is_empty(), "{left:?}");
    old.stop().await;
    new.stop().await;
}

#[tokio::test]
async fn a_kind_that_no_live_worker_knows_fails_with_the_reason() {
    let rig = Rig::new().await;
    let ran = Ran::default();
    let worker = worker(&rig, "w", &["a"], &ran);
    let id = broker::Producer::new_id();
    rig.producer.submit(id, of("b")).await.unwrap();
    let record = rig.until_state(id, JobState::Failed).await;
    let error = record.error.unwrap();
    assert_eq!(error.code, FailureCode::UnknownKind);
    assert!(error.message.contains("`b`"), "{error}");
    assert_eq!(record.attempt, 0);
    worker.stop().await;
}

/// A job of kind `b`, which a worker that gave a sign of life knows and never takes.
async fn set_aside(rig: &Rig) -> protocol::JobId {
    let _: i64 = rig
        .server
        .command(&["ZADD", "test{chat}:kind:b", "99999999999999", "mute"])
        .await;
    let id = broker::Producer::new_id();
    rig.producer.submit(id, of("b")).await.unwrap();
    until("it is set aside", async || {
        let aside: i64 = rig.server.command(&["ZCARD", "test{chat}:aside:b"]).await;
        (aside == 1).then_some(())
    })
    .await;
    id
}

#[tokio::test]
async fn what_was_set_aside_for_a_worker_that_went_away_fails() {
    let rig = Rig::new().await;
    let ran = Ran::default();
    let old = worker(&rig, "old", &["a"], &ran);
    known(&rig, "a").await;
    let id = set_aside(&rig).await;
    assert_eq!(rig.get(id).await.state, JobState::Waiting);
    let (counts, _) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!(counts.waiting, 1);
    let waiting = rig
        .inspector
        .list(&rig.queue, JobState::Waiting, 10)
        .await
        .unwrap();
    assert_eq!(waiting.len(), 1);
    let _: i64 = rig.server.command(&["DEL", "test{chat}:kind:b"]).await;
    rig.maintenance().run(&rig.queue).await.unwrap();
    let record = rig.get(id).await;
    assert_eq!(record.error.unwrap().code, FailureCode::UnknownKind);
    let (counts, _) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((counts.waiting, counts.failed), (0, 1));
    old.stop().await;
}

#[tokio::test]
async fn what_is_set_aside_can_be_cancelled() {
    let rig = Rig::new().await;
    let ran = Ran::default();
    let old = worker(&rig, "old", &["a"], &ran);
    let id = set_aside(&rig).await;
    let control = broker::Control::new(rig.redis.clone(), rig.args.clone());
    let done = control.cancel(&rig.queue, &[id], None).await.unwrap();
    assert_eq!(done, [broker::Done::Yes]);
    let aside: i64 = rig.server.command(&["ZCARD", "test{chat}:aside:b"]).await;
    assert_eq!(aside, 0);
    old.stop().await;
}
