//! What a worker takes of a parcel goes on as a parcel of its own, and nobody but Redis notices.

use std::{collections::BTreeSet, time::Duration};

use broker::{
    Control, Done, Maintenance, QueueArgs,
    testing::{Act, Puppet, TestRedis, What, until},
};
use protocol::{Failure, FailureCode, JobId, JobOptions, JobState, Topic};
use serde_json::value::RawValue;

use crate::{
    parcels::{LEASE, browsed, parcels, plain, scanned, submit, take, waiting},
    puppets::puppet,
    rig::Rig,
};

/// A rig where a worker's rounds have nothing else to do: nothing is due, and it is not time to prune.
pub async fn calm(args: QueueArgs) -> (Rig, Puppet) {
    calm_on(Rig::on(TestRedis::start().await, args)).await
}

pub async fn calm_on(rig: Rig) -> (Rig, Puppet) {
    let mut worker = puppet(&rig, "w", &[]);
    assert_eq!(take(&mut worker, &[], 1).await, []);
    let later = ["HSET", "test{chat}:count", "prune", "9000000000000"];
    let _: i64 = rig.server.command(&later).await;
    (rig, worker)
}

/// Ten jobs that a worker has taken as one parcel.
pub async fn ten() -> (Rig, Puppet, Vec<JobId>) {
    let (rig, mut worker) = calm(QueueArgs::default()).await;
    let ids = take_new(&rig, &mut worker, 10, &plain()).await;
    assert_eq!(parcels(&rig).await, 1);
    (rig, worker, ids)
}

/// The same, and all have completed.
pub async fn ten_completed() -> (Rig, Puppet, Vec<JobId>) {
    let (rig, mut worker, ids) = ten().await;
    complete(&mut worker, &ids).await;
    assert_eq!(parcels(&rig).await, 1);
    (rig, worker, ids)
}

pub async fn take_new(
    rig: &Rig,
    worker: &mut Puppet,
    jobs: usize,
    options: &JobOptions,
) -> Vec<JobId> {
    let ids = submit(&rig.producer, jobs, options).await;
    assert_eq!(take(worker, &[], jobs).await, ids);
    ids
}

fn act(id: JobId, what: What) -> Act {
    let attempt = 1;
    Act { id, attempt, what }
}

fn done(result: &str) -> What {
    What::Complete(RawValue::from_string(result.to_owned()).unwrap())
}

/// Each with its place as the result.
fn done_all(ids: &[JobId]) -> Vec<Act> {
    let acts = ids.iter().enumerate();
    acts.map(|(n, id)| act(*id, done(&n.to_string()))).collect()
}

/// All are written.
async fn write(worker: &mut Puppet, acts: &[Act]) {
    let written = worker.round(acts, 0, LEASE).await.unwrap().written;
    assert_eq!(written, vec![true; acts.len()]);
}

pub async fn complete(worker: &mut Puppet, ids: &[JobId]) {
    write(worker, &done_all(ids)).await;
}

/// How many are active, and how many have completed.
pub async fn counts(rig: &Rig) -> (u64, u64) {
    let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert!(totals.completed >= counts.completed);
    (counts.active, counts.completed)
}

async fn listed(rig: &Rig, state: JobState) -> Vec<JobId> {
    let ids = rig.inspector.ids(&rig.queue, state, 1_000);
    ids.await.unwrap()
}

pub async fn completed_bytes(rig: &Rig) -> i64 {
    let get = ["HGET", "test{chat}:count", "completed_bytes"];
    let bytes: Option<i64> = rig.server.command(&get).await;
    bytes.unwrap_or(0)
}

/// Nothing that belongs to a job is left.
pub async fn nothing_left(rig: &Rig) {
    assert_eq!(counts(rig).await, (0, 0));
    assert_eq!(completed_bytes(rig).await, 0);
    let keys: Vec<String> = rig.server.command(&["KEYS", "*"]).await;
    let keys: BTreeSet<_> = keys.iter().map(String::as_str).collect();
    let stays = |key: &&str| {
        let names = ["count", "kinds", "wake", "round:w:0"];
        let known = names
            .iter()
            .any(|name| *key == format!("test{{chat}}:{name}"));
        known || key.starts_with("test:queues") || key.starts_with("test{chat}:sent:")
    };
    let left: Vec<_> = keys.into_iter().filter(|key| !stays(key)).collect();
    assert_eq!(left, Vec::<&str>::new());
}

pub fn reversed(ids: &[JobId]) -> Vec<JobId> {
    ids.iter().rev().copied().collect()
}

pub fn sorted(mut ids: Vec<JobId>) -> Vec<JobId> {
    ids.sort_unstable();
    ids
}

/// Redis' clock, in milliseconds.
async fn now(rig: &Rig) -> u64 {
    let (secs, micros): (u64, u64) = rig.server.command(&["TIME"]).await;
    secs * 1_000 + micros / 1_000
}

/// What ends from now on ends later than what ended before.
pub async fn next_moment(rig: &Rig) {
    let before = now(rig).await;
    let later = async || (now(rig).await > before).then_some(());
    until("the clock goes on", later).await;
}

/// Nothing that has ended is kept any longer.
pub async fn prune(rig: &Rig) {
    let args = QueueArgs {
        keep_completed_secs: 0,
        ..rig.args.clone()
    };
    next_moment(rig).await;
    let maintenance = Maintenance::new(rig.redis.clone(), args);
    maintenance.run(&rig.queue).await.unwrap();
}

#[tokio::test]
async fn those_that_all_complete_stay_one_and_each_is_seen() {
    let (rig, _, ids) = ten_completed().await;
    assert_eq!(counts(&rig).await, (0, 10));
    for (n, id) in ids.iter().enumerate() {
        let found = rig.inspector.find(*id).await.unwrap().unwrap();
        for job in [found, rig.get(*id).await] {
            assert_eq!((job.state, job.attempt), (JobState::Completed, 1));
            assert_eq!(job.result.unwrap().get(), n.to_string());
            assert_eq!(job.payload.unwrap().get(), n.to_string());
            assert_eq!(job.worker.as_deref(), Some("w"));
            let (started, finished) = (job.started_at.unwrap(), job.finished_at.unwrap());
            assert!(job.created_at <= started && started <= finished);
        }
        let events = rig.events(id).await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].0, 1);
        let event = format!(r#"{{"type":"completed","job":"{id}","#);
        assert!(events[0].1.starts_with(&event), "{events:?}");
        assert!(events[0].1.ends_with(&format!(r#""data":{n}}}"#)));
    }
    let newest_first = reversed(&ids);
    assert_eq!(listed(&rig, JobState::Completed).await, newest_first);
    assert_eq!(browsed(&rig, JobState::Completed).await, newest_first);
    assert_eq!(scanned(&rig, JobState::Completed).await, ids);
    assert_eq!(parcels(&rig).await, 1);
}

#[tokio::test]
async fn those_that_run_are_seen_and_seeing_them_changes_nothing() {
    let (rig, _, ids) = ten().await;
    assert_eq!(counts(&rig).await, (10, 0));
    assert_eq!(listed(&rig, JobState::Active).await.len(), 10);
    assert_eq!(
        sorted(listed(&rig, JobState::Active).await),
        sorted(ids.clone())
    );
    assert_eq!(browsed(&rig, JobState::Active).await, sorted(ids.clone()));
    assert_eq!(scanned(&rig, JobState::Active).await, ids);
    for id in &ids {
        let job = rig.inspector.find(*id).await.unwrap().unwrap();
        assert_eq!((job.state, job.attempt), (JobState::Active, 1));
        assert_eq!(job.worker.as_deref(), Some("w"));
        assert_eq!(rig.events(id).await, []);
    }
    assert_eq!(parcels(&rig).await, 1);
}

#[tokio::test]
async fn parcels_and_others_complete_in_one_round() {
    let (rig, mut worker) = calm(QueueArgs::default()).await;
    let mut ids = take_new(&rig, &mut worker, 70, &plain()).await;
    assert_eq!(parcels(&rig).await, 3);
    for _ in 0..3 {
        ids.push(rig.submit("1", JobOptions::default()).await);
    }
    assert_eq!(take(&mut worker, &[], 5).await, ids[70..]);
    complete(&mut worker, &ids).await;
    assert_eq!(parcels(&rig).await, 3);
    assert_eq!(counts(&rig).await, (0, 73));
    let all = sorted(ids.clone());
    assert_eq!(sorted(listed(&rig, JobState::Completed).await), all);
    assert_eq!(sorted(browsed(&rig, JobState::Completed).await), all);
    assert_eq!(sorted(scanned(&rig, JobState::Completed).await), all);
    prune(&rig).await;
    nothing_left(&rig).await;
}

#[tokio::test]
async fn a_beat_renews_each_by_itself() {
    let (rig, mut worker, ids) = ten().await;
    let held: Vec<_> = ids.iter().map(|id| (*id, 1)).collect();
    let said = worker.beat(10 * LEASE, &held[..5]).await.unwrap();
    assert_eq!(said, (vec![], vec![]));
    assert_eq!(parcels(&rig).await, 0);
    let soon = now(&rig).await as f64 + LEASE.as_millis() as f64;
    for (n, id) in ids.iter().enumerate() {
        let score = ["ZSCORE", "test{chat}:active", &id.to_string()];
        let deadline: f64 = rig.server.command(&score).await;
        assert_eq!(deadline > soon, n < 5, "{n}");
    }
    assert_eq!(counts(&rig).await, (10, 0));
    // Nobody else holds them.
    let other = puppet(&rig, "other", &[]).beat(LEASE, &held).await.unwrap();
    assert_eq!(other, (ids.clone(), vec![]));
    complete(&mut worker, &ids).await;
    assert_eq!(counts(&rig).await, (0, 10));
}

#[tokio::test]
async fn one_is_cancelled_and_the_others_complete() {
    let failure = Failure::new(FailureCode::Error, "no");
    for (what, ends) in [
        (done("4"), JobState::Completed),
        (What::Cancel, JobState::Cancelled),
        (What::Fail(failure), JobState::Cancelled),
    ] {
        let (rig, mut worker, ids) = ten().await;
        let control = Control::new(rig.redis.clone(), rig.args.clone());
        let asked = control.cancel(&rig.queue, &[ids[4]], None).await.unwrap();
        assert_eq!(asked, [Done::Requested]);
        let inbox = ["LRANGE", "test{chat}:inbox:w", "0", "-1"];
        let inbox: Vec<String> = rig.server.command(&inbox).await;
        assert_eq!(inbox, [format!("cancel {} 1", ids[4])]);
        let mut acts = done_all(&ids);
        acts[4] = act(ids[4], what);
        write(&mut worker, &acts).await;
        for (n, id) in ids.iter().enumerate() {
            let job = rig.get(*id).await;
            let expected = if n == 4 { ends } else { JobState::Completed };
            assert_eq!(job.state, expected);
            let result = job.result.map(|result| result.get().to_owned());
            let is_done = expected == JobState::Completed;
            assert_eq!(result, is_done.then(|| n.to_string()));
            assert_eq!(job.cancel_at.is_some(), !is_done);
            assert_eq!(rig.events(id).await.len(), 1);
        }
        let completed = if ends == JobState::Completed { 10 } else { 9 };
        assert_eq!(counts(&rig).await, (0, completed));
        assert_eq!(parcels(&rig).await, 0);
    }
}

#[tokio::test]
async fn a_beat_says_which_is_cancelled() {
    let (rig, worker, ids) = ten().await;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    control.cancel(&rig.queue, &[ids[4]], None).await.unwrap();
    let held: Vec<_> = ids.iter().map(|id| (*id, 1)).collect();
    let said = worker.beat(LEASE, &held).await.unwrap();
    assert_eq!(said, (vec![], vec![ids[4]]));
}

#[tokio::test]
async fn each_ends_in_its_own_way() {
    let (rig, mut worker, ids) = ten().await;
    let failure = || Failure::new(FailureCode::Error, "no");
    let mut acts = done_all(&ids);
    acts[4].what = What::HandBack;
    acts[5].what = What::Fail(failure());
    acts[6].what = What::Retry(failure(), LEASE);
    acts[7].what = done("[\n1\n]");
    // In two rounds.
    write(&mut worker, &acts[..3]).await;
    assert_eq!(counts(&rig).await, (7, 3));
    write(&mut worker, &acts[3..]).await;
    let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    let now = (counts.waiting, counts.delayed, counts.active);
    assert_eq!(now, (1, 1, 0));
    assert_eq!((counts.completed, counts.failed), (7, 1));
    let before = (totals.completed, totals.failed, totals.handed_back);
    assert_eq!((before, totals.retried), ((7, 1, 1), 1));
    let tenants = rig.inspector.tenants(&rig.queue, 10).await.unwrap();
    assert_eq!((tenants[0].waiting, tenants[0].active), (2, 0));
    for (n, id) in ids.iter().enumerate() {
        let state = match n {
            4 => JobState::Waiting,
            5 => JobState::Failed,
            6 => JobState::Delayed,
            _ => JobState::Completed,
        };
        assert_eq!(rig.get(*id).await.state, state, "{n}");
    }
    assert_eq!(parcels(&rig).await, 0);
    let again = worker.round(&[], 5, LEASE).await.unwrap().claims;
    assert_eq!((again.len(), again[0].id, again[0].attempt), (1, ids[4], 2));
}

#[tokio::test]
async fn those_whose_lease_ran_out_are_taken_again_in_their_order() {
    let (rig, mut worker) = calm(QueueArgs::default()).await;
    let ids = submit(&rig.producer, 10, &plain()).await;
    worker.round(&[], 10, Duration::ZERO).await.unwrap();
    assert_eq!(parcels(&rig).await, 1);
    let mut other = puppet(&rig, "other", &[]);
    let claims = other.round(&[], 20, LEASE).await.unwrap().claims;
    let taken: Vec<_> = claims.iter().map(|held| (held.id, held.attempt)).collect();
    let expected: Vec<_> = ids.iter().map(|id| (*id, 2)).collect();
    assert_eq!(taken, expected);
    let late = worker.round(&done_all(&ids), 0, LEASE).await.unwrap();
    assert_eq!(late.written, [false; 10]);
    let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((counts.active, totals.lost, totals.stale), (10, 10, 10));
    assert_eq!(parcels(&rig).await, 0);
}

#[tokio::test]
async fn a_round_that_is_sent_again_completes_nothing_twice() {
    let (rig, mut worker, ids) = ten_completed().await;
    let again = worker.repeat().await.unwrap();
    assert_eq!(again.written, [true; 10]);
    assert!(again.claims.is_empty());
    assert_eq!(counts(&rig).await, (0, 10));
    let (_, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((totals.completed, totals.stale), (10, 0));
    assert_eq!(listed(&rig, JobState::Completed).await, reversed(&ids));
    assert_eq!(parcels(&rig).await, 1);
}

#[tokio::test]
async fn a_topic_hears_of_each_in_order() {
    let (rig, mut worker) = calm(QueueArgs::default()).await;
    let said = JobOptions {
        topic: Some(Topic::new("room").unwrap()),
        announce: Some(RawValue::from_string("1".into()).unwrap()),
        ..plain()
    };
    let ids = take_new(&rig, &mut worker, 40, &said).await;
    complete(&mut worker, &ids).await;
    assert_eq!(parcels(&rig).await, 2);
    let events = rig.events(&"room").await;
    let names = ["queued", "completed"].map(|name| ids.iter().map(move |id| (name, id)));
    let expected: Vec<_> = names.into_iter().flatten().collect();
    assert_eq!(events.len(), expected.len());
    for (n, ((offset, event), (name, id))) in events.iter().zip(expected).enumerate() {
        assert_eq!(*offset, n as u64 + 1);
        let begins = format!(r#"{{"type":"{name}","job":"{id}","#);
        assert!(event.starts_with(&begins), "{event}");
    }
}

#[tokio::test]
async fn each_keeps_its_place_in_a_parcel_of_its_own() {
    let (rig, mut worker) = calm(QueueArgs::default()).await;
    // One before, and two parts of a parcel: where two had one place, their ids would say who is first.
    for (n, size) in (4..12).enumerate() {
        let before = rig.submit(&n.to_string(), plain()).await;
        let mut ids = submit(&rig.producer, 12, &plain()).await;
        ids.insert(0, before);
        assert_eq!(take(&mut worker, &[], 1).await, [before]);
        assert_eq!(take(&mut worker, &[], size).await, ids[1..=size]);
        assert_eq!(parcels(&rig).await, 2);
        let back = |id: &JobId| act(*id, What::HandBack);
        let back: Vec<_> = ids[..=size].iter().map(back).collect();
        assert_eq!(take(&mut worker, &back, 0).await, []);
        let control = Control::new(rig.redis.clone(), QueueArgs::default());
        // Now what was left waits each by itself too.
        control.delete(&rig.queue, &ids[12..]).await.unwrap();
        assert_eq!(waiting(&rig).await, ids[..12]);
        control.delete(&rig.queue, &ids).await.unwrap();
    }
}
