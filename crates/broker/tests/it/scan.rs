//! Going through many jobs while they change.

use std::collections::HashSet;

use broker::{Control, Done, JobSummary, QueueSettings, Scan};
use protocol::{Job, JobId, JobOptions, JobState, Kind, Priority};

use crate::rig::{Rig, Setup, job};

const MANY: usize = 1_300;

/// Hands in many at once.
async fn submit_all(rig: &Rig, jobs: impl Iterator<Item = Job>) -> HashSet<JobId> {
    let stored = jobs.map(|job| {
        let id = broker::Producer::new_id();
        async move { rig.producer.submit(id, job).await.unwrap().id }
    });
    futures_util::future::join_all(stored)
        .await
        .into_iter()
        .collect()
}

/// Goes through all, doing something after each page; no job may be seen twice.
async fn go(mut scan: Scan, mut after: impl AsyncFnMut(&[JobSummary])) -> Vec<JobSummary> {
    let mut seen = Vec::new();
    while let Some(page) = scan.page().await.unwrap() {
        assert!(page.len() <= 500);
        after(&page).await;
        seen.extend(page);
    }
    let ids: HashSet<_> = seen.iter().map(|job| job.id).collect();
    assert_eq!(ids.len(), seen.len(), "no job is seen twice");
    seen
}

#[tokio::test]
async fn jobs_that_are_due_together_are_seen_once_each_while_they_leave() {
    let rig = Rig::new().await;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    let later = || JobOptions {
        run_at: Some(4_000_000_000_000),
        ..JobOptions::default()
    };
    let ids = submit_all(&rig, (0..MANY).map(|_| job("1", later()))).await;
    let seen = go(
        rig.inspector.scan(&rig.queue, JobState::Delayed),
        async |page| {
            // Every third leaves, and so does the last, which the next page comes after.
            let mut gone: Vec<_> = page.iter().step_by(3).map(|job| job.id).collect();
            gone.push(page.last().unwrap().id);
            control.withdraw(&rig.queue, &gone).await.unwrap();
        },
    )
    .await;
    assert_eq!(seen.iter().map(|job| job.id).collect::<HashSet<_>>(), ids);
    // Those that were cancelled ended in few milliseconds: again many with the same score, and again in line.
    let cancelled = rig.inspector.counts(&rig.queue).await.unwrap().0.cancelled;
    let again = go(
        rig.inspector.scan(&rig.queue, JobState::Cancelled),
        async |page| {
            let ids: Vec<_> = page.iter().map(|job| job.id).collect();
            let done = control.retry(&rig.queue, &ids).await.unwrap();
            assert!(done.iter().all(|done| *done == Done::Yes));
            // Were they to end again at once, they would not be met again.
            control.withdraw(&rig.queue, &ids).await.unwrap();
        },
    )
    .await;
    assert_eq!(again.len() as u64, cancelled);
}

#[tokio::test]
async fn every_line_is_gone_through_and_what_comes_later_is_not() {
    let rig = Rig::new().await;
    let jobs = (0..MANY).map(|n| {
        let mut job = job("1", JobOptions::default());
        job.options.tenant = format!("t{}", n % 7).parse().unwrap();
        job.options.priority = [Priority::High, Priority::Normal, Priority::Low][n % 3];
        job
    });
    let ids = submit_all(&rig, jobs).await;
    let mut more = 0;
    let seen = go(
        rig.inspector.scan(&rig.queue, JobState::Waiting),
        async |page| {
            let ids: Vec<_> = page.iter().map(|job| job.id).collect();
            let control = Control::new(rig.redis.clone(), rig.args.clone());
            control.withdraw(&rig.queue, &ids).await.unwrap();
            let mut late = job("2", JobOptions::default());
            late.options.tenant = page[0].tenant.clone();
            submit_all(&rig, std::iter::once(late)).await;
            more += 1;
        },
    )
    .await;
    assert_eq!(seen.iter().map(|job| job.id).collect::<HashSet<_>>(), ids);
    let (counts, _) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((counts.waiting, counts.cancelled), (more, ids.len() as u64));
}

#[tokio::test]
async fn a_summary_says_what_a_filter_asks() {
    let rig = Rig::new().await;
    let options = JobOptions {
        max_attempts: 1,
        tenant: "acme".parse().unwrap(),
        ..JobOptions::default()
    };
    let id = rig.submit("1", options).await;
    let all = async |state| go(rig.inspector.scan(&rig.queue, state), async |_| {}).await;
    assert_eq!(all(JobState::Waiting).await[0].error, None);
    let worker = rig.worker("w", Setup::default(), async |_, _| {
        Err(broker::JobError::with_code(protocol::FailureCode::Panic, "boom").into())
    });
    rig.until_state(id, JobState::Failed).await;
    worker.stop().await;
    let failed = all(JobState::Failed).await;
    assert_eq!(failed.len(), 1);
    let JobSummary {
        id: found,
        kind,
        tenant,
        error,
        age_ms,
    } = &failed[0];
    assert_eq!((*found, tenant.as_str()), (id, "acme"));
    assert_eq!(
        (kind, *error),
        (
            &Kind::new("test").unwrap(),
            Some(protocol::FailureCode::Panic)
        )
    );
    assert!(*age_ms < 60_000, "{age_ms}");
    for state in [JobState::Waiting, JobState::Active, JobState::Completed] {
        assert!(all(state).await.is_empty(), "{state}");
    }
}

#[tokio::test]
async fn a_change_of_settings_leaves_the_rest_alone() {
    let rig = Rig::new().await;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    let read = rig.inspector.settings(&rig.queue).await.unwrap();
    // Another operator is faster.
    control.pause(&rig.queue, true).await.unwrap();
    let mine = QueueSettings {
        max_active: Some(3),
        ..read
    };
    control.change(&rig.queue, &read, &mine).await.unwrap();
    let both = rig.inspector.settings(&rig.queue).await.unwrap();
    assert_eq!((both.paused, both.max_active), (true, Some(3)));
    control.change(&rig.queue, &mine, &read).await.unwrap();
    let back = rig.inspector.settings(&rig.queue).await.unwrap();
    assert_eq!((back.paused, back.max_active), (true, None));
}

#[tokio::test]
async fn what_changed_meanwhile_is_not_withdrawn_or_deleted() {
    let rig = Rig::new().await;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    let id = rig.submit("1", JobOptions::default()).await;
    let delete = async |state| control.delete_in(&rig.queue, state, &[id]).await.unwrap()[0];
    assert_eq!(
        delete(JobState::Failed).await,
        Done::Conflict(JobState::Waiting)
    );
    let worker = rig.worker("w", Setup::default(), |handle, _| async move {
        handle.cancelled().cancelled().await;
        Ok("0".into())
    });
    rig.until_state(id, JobState::Active).await;
    let left = control.withdraw(&rig.queue, &[id]).await.unwrap()[0];
    assert_eq!(left, Done::Conflict(JobState::Active));
    assert!(rig.get(id).await.cancel_at.is_none());
    control.cancel(&rig.queue, &[id], None).await.unwrap();
    // Its handler had a result all the same.
    rig.until_state(id, JobState::Completed).await;
    assert_eq!(
        delete(JobState::Cancelled).await,
        Done::Conflict(JobState::Completed)
    );
    assert_eq!(delete(JobState::Completed).await, Done::Yes);
    worker.stop().await;
    assert!(rig.inspector.find(id).await.unwrap().is_none());
}

#[tokio::test]
async fn jobs_that_are_set_aside_or_parked_are_seen_too() {
    let rig = Rig::new().await;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    let none = broker::TenantLimits {
        max_active: Some(0),
        ..broker::TenantLimits::default()
    };
    let acme = "acme".parse().unwrap();
    control
        .set_tenant(&rig.queue, &acme, Some(&none))
        .await
        .unwrap();
    let busy = |kinds| Setup {
        capacity: 1,
        kinds,
        ..Setup::default()
    };
    let hang = |handle: broker::JobHandle, _| async move {
        handle.cancelled().cancelled().await;
        Ok("0".into())
    };
    // The one that knows the kind is busy, so the other sets its next job aside.
    let able = rig.worker("able", busy(&["test"]), hang);
    let first = rig.submit("1", JobOptions::default()).await;
    rig.until_state(first, JobState::Active).await;
    let other = rig.worker("other", busy(&["else"]), hang);
    let aside = rig.submit("2", JobOptions::default()).await;
    let parked = rig
        .submit(
            "3",
            JobOptions {
                tenant: acme,
                ..JobOptions::default()
            },
        )
        .await;
    broker::testing::until("both are out of the way", async || {
        let found: i64 = rig
            .server
            .command(&["EXISTS", "test{chat}:parked", "test{chat}:aside:test"])
            .await;
        (found == 2).then_some(())
    })
    .await;
    let seen = go(
        rig.inspector.scan(&rig.queue, JobState::Waiting),
        async |_| {},
    )
    .await;
    let seen: HashSet<_> = seen.iter().map(|job| job.id).collect();
    assert_eq!(seen, HashSet::from([aside, parked]));
    able.hard.cancel();
    other.hard.cancel();
    able.end().await;
    other.end().await;
}
