//! What completed as a parcel is kept, found, forgotten and deleted job by job.

use std::collections::BTreeSet;

use broker::{
    Control, Done, QueueArgs,
    testing::{TestRedis, until},
};
use protocol::{JobId, JobOptions, JobState};
use serde_json::value::RawValue;

use crate::{
    parcels::{browsed, page, parcels, plain, scanned},
    rig::{Rig, job},
    taken::{
        calm, calm_on, complete, completed_bytes, counts, next_moment, nothing_left, prune,
        reversed, sorted, take_new, ten, ten_completed,
    },
};

#[tokio::test]
async fn as_many_are_kept_as_are_to_be_kept() {
    for keep in [5, 10, 15] {
        let args = QueueArgs {
            keep_jobs: keep as u64,
            ..QueueArgs::default()
        };
        let (rig, mut worker) = calm(args).await;
        let mut ids = Vec::new();
        for _ in 0..2 {
            let new = take_new(&rig, &mut worker, 10, &plain()).await;
            next_moment(&rig).await;
            complete(&mut worker, &new).await;
            ids.extend(new);
            let kept = ids.len().min(keep);
            let (gone, stay) = ids.split_at(ids.len() - kept);
            assert_eq!(counts(&rig).await, (0, kept as u64));
            assert_eq!(scanned(&rig, JobState::Completed).await, stay);
            assert_eq!(browsed(&rig, JobState::Completed).await, reversed(stay));
            for id in gone {
                assert!(rig.inspector.find(*id).await.unwrap().is_none());
                assert_eq!(rig.events(id).await, []);
            }
            for (n, id) in ids.iter().enumerate().skip(gone.len()) {
                let job = rig.get(*id).await;
                assert_eq!(job.result.unwrap().get(), (n % 10).to_string());
            }
        }
        let control = Control::new(rig.redis.clone(), rig.args.clone());
        control.delete(&rig.queue, &ids).await.unwrap();
        nothing_left(&rig).await;
    }
}

#[tokio::test]
async fn as_many_bytes_are_kept_as_are_to_be_kept() {
    let args = QueueArgs {
        keep_bytes: 4_000,
        ..QueueArgs::default()
    };
    let (rig, mut worker) = calm(args).await;
    let ids = take_new(&rig, &mut worker, 10, &plain()).await;
    complete(&mut worker, &ids).await;
    let kept = scanned(&rig, JobState::Completed).await;
    assert!((3..7).contains(&kept.len()), "{kept:?}");
    assert_eq!(kept, ids[10 - kept.len()..]);
    assert!((2_000..=4_000).contains(&completed_bytes(&rig).await));
    prune(&rig).await;
    nothing_left(&rig).await;
}

#[tokio::test]
async fn one_is_deleted_and_the_others_stay() {
    let (rig, _, ids) = ten_completed().await;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    let deleted = control.delete(&rig.queue, &[ids[3]]).await.unwrap();
    assert_eq!(deleted, [Done::Yes]);
    assert!(rig.inspector.find(ids[3]).await.unwrap().is_none());
    assert_eq!(counts(&rig).await, (0, 9));
    let rest: Vec<_> = ids.iter().copied().filter(|id| *id != ids[3]).collect();
    let seen = browsed(&rig, JobState::Completed).await;
    assert_eq!(sorted(seen), sorted(rest.clone()));
    for id in &rest {
        assert_eq!(rig.get(*id).await.state, JobState::Completed);
        assert_eq!(rig.events(id).await.len(), 1);
    }
    control.delete(&rig.queue, &rest).await.unwrap();
    nothing_left(&rig).await;
}

#[tokio::test]
async fn a_listing_goes_on_after_one_that_it_showed_is_deleted() {
    let (rig, _, ids) = ten_completed().await;
    let first = page(&rig, JobState::Completed, None).await;
    let mut seen: Vec<_> = first.jobs.iter().map(|job| job.id).collect();
    assert_eq!(seen, reversed(&ids[7..]));
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    control.delete(&rig.queue, &seen[..1]).await.unwrap();
    let mut after = first.next;
    while after.is_some() {
        let next = page(&rig, JobState::Completed, after).await;
        seen.extend(next.jobs.iter().map(|job| job.id));
        after = next.next;
    }
    // Those of its parcel, which each are by themselves now, may come again.
    let set: BTreeSet<_> = seen.iter().copied().collect();
    assert_eq!(set.len(), 10, "some are missing: {seen:?}");
}

/// Handing it in again makes no other job of it.
async fn is_known(rig: &Rig, id: JobId, state: JobState, result: Option<&str>) {
    let before = counts(rig).await;
    let again = rig.producer.submit(id, job("5", plain())).await.unwrap();
    assert_eq!((again.duplicate, again.state), (true, Some(state)));
    assert_eq!(again.result.as_deref().map(RawValue::get), result);
    assert_eq!(counts(rig).await, before);
}

#[tokio::test]
async fn an_id_in_a_taken_parcel_is_known() {
    let (rig, _, ids) = ten().await;
    is_known(&rig, ids[5], JobState::Active, None).await;
}

#[tokio::test]
async fn an_id_in_a_completed_parcel_is_known() {
    let (rig, _, ids) = ten_completed().await;
    is_known(&rig, ids[5], JobState::Completed, Some("5")).await;
}

#[tokio::test]
async fn an_id_in_a_completed_parcel_is_known_while_another_waits() {
    let (rig, _, ids) = ten_completed().await;
    rig.submit("1", JobOptions::default()).await;
    is_known(&rig, ids[5], JobState::Completed, Some("5")).await;
}

#[tokio::test]
async fn parcels_outlive_redis() {
    let rig = Rig::on(TestRedis::durable().await, QueueArgs::default());
    let (mut rig, mut worker) = calm_on(rig).await;
    let over = take_new(&rig, &mut worker, 10, &plain()).await;
    complete(&mut worker, &over).await;
    let run = take_new(&rig, &mut worker, 10, &plain()).await;
    assert_eq!(parcels(&rig).await, 2);
    rig.server.kill();
    rig.server.run().await;
    // Its old connection is found to be gone.
    let look = async || rig.inspector.counts(&rig.queue).await.ok();
    until("Redis is there again", look).await;
    assert_eq!(counts(&rig).await, (10, 10));
    assert_eq!(scanned(&rig, JobState::Completed).await, over);
    assert_eq!(scanned(&rig, JobState::Active).await, run);
    complete(&mut worker, &run).await;
    assert_eq!(counts(&rig).await, (0, 20));
    for id in over.iter().chain(&run) {
        assert_eq!(rig.get(*id).await.state, JobState::Completed);
        let events = rig.events(id).await;
        assert_eq!((events.len(), events[0].0), (1, 1));
    }
    is_known(&rig, over[5], JobState::Completed, Some("5")).await;
    prune(&rig).await;
    nothing_left(&rig).await;
}
