//! How a job wants to be treated: when it runs, how long it may take, how it is tried again.

use std::time::Duration;

use broker::JobError;
use protocol::{FailureCode, JobOptions, JobState, RetryPolicy};

use crate::rig::{Rig, Setup};

async fn now(rig: &Rig) -> u64 {
    let (secs, micros): (u64, u64) = rig.server.command(&["TIME"]).await;
    secs * 1000 + micros / 1000
}

#[tokio::test]
async fn a_job_runs_at_its_time_to_the_millisecond() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |_, _| Ok("0".into()));
    let at = now(&rig).await + 321;
    let options = JobOptions {
        run_at: Some(at),
        ..JobOptions::default()
    };
    let later = rig.submit("1", options.clone()).await;
    assert_eq!(rig.get(later).await.due_at, Some(at));
    let done = rig.until_state(later, JobState::Completed).await;
    assert!(done.started_at.unwrap() >= at, "{done:?}");
    // A time that is over means now.
    let past = JobOptions {
        run_at: Some(1),
        ..JobOptions::default()
    };
    let id = rig.submit("1", past).await;
    rig.until_state(id, JobState::Completed).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_job_that_is_not_started_in_its_time_to_live_fails_as_expired() {
    let rig = Rig::new().await;
    let short = |delay_ms| JobOptions {
        ttl_ms: Some(40),
        delay_ms,
        ..JobOptions::default()
    };
    // One waits, one is delayed: its time to live begins when it may run.
    let waits = rig.submit("1", short(0)).await;
    let delayed = rig.submit("2", short(60)).await;
    let record = rig.get(delayed).await;
    assert_eq!(record.expires_at.unwrap(), record.due_at.unwrap() + 40);
    for id in [waits, delayed] {
        broker::testing::until("it has expired", async || {
            rig.maintenance().run(&rig.queue).await.unwrap();
            (rig.get(id).await.state == JobState::Failed).then_some(())
        })
        .await;
        let record = rig.get(id).await;
        assert_eq!(record.error.unwrap().code, FailureCode::Expired);
        assert_eq!(record.attempt, 0);
    }
    let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((counts.waiting, counts.delayed, totals.expired), (0, 0, 2));
}

#[tokio::test]
async fn a_worker_does_not_start_what_has_expired() {
    let rig = Rig::new().await;
    let options = JobOptions {
        ttl_ms: Some(1),
        ..JobOptions::default()
    };
    let id = rig.submit("1", options).await;
    let late = rig.get(id).await.expires_at.unwrap() + 1;
    broker::testing::until("it is late", async || {
        (now(&rig).await > late).then_some(())
    })
    .await;
    let worker = rig.worker("w", Setup::default(), async |_, _| Ok("0".into()));
    let record = rig.until_state(id, JobState::Failed).await;
    assert_eq!(record.error.unwrap().code, FailureCode::Expired);
    worker.stop().await;
}

#[tokio::test]
async fn a_job_that_was_started_does_not_expire() {
    let rig = Rig::new().await;
    let options = JobOptions {
        ttl_ms: Some(60_000),
        ..JobOptions::default()
    };
    let id = rig.submit("1", options).await;
    let worker = rig.worker("w", Setup::default(), async |_, _| {
        Err(JobError::retry_after("later", Duration::from_secs(3600)).into())
    });
    rig.until_state(id, JobState::Delayed).await;
    let kept: i64 = rig.server.command(&["ZCARD", "test{chat}:expiring"]).await;
    assert_eq!(kept, 0);
    worker.stop().await;
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_told_to_end_and_tried_again() {
    let rig = Rig::new().await;
    let options = JobOptions {
        timeout_ms: Some(30),
        max_attempts: 2,
        retry: Some(RetryPolicy::Fixed { delay_ms: 0 }),
        ..JobOptions::default()
    };
    let id = rig.submit("1", options).await;
    let worker = rig.worker("w", Setup::default(), async |handle, _| {
        handle.cancelled().cancelled().await;
        assert_eq!(handle.stopped(), Some(broker::StopReason::Timeout));
        Err("told to end".into())
    });
    let record = rig.until_state(id, JobState::Failed).await;
    assert_eq!(record.error.unwrap().code, FailureCode::Timeout);
    assert_eq!((record.attempt, record.timeout_ms), (2, Some(30)));
    worker.stop().await;
}

#[tokio::test]
async fn an_attempt_that_does_not_end_in_its_grace_is_abandoned() {
    let rig = Rig::new().await;
    let options = JobOptions {
        max_attempts: 1,
        ..JobOptions::default()
    };
    let id = rig.submit("1", options).await;
    let setup = Setup {
        // The worker's own limit, since the job has none.
        timeout: Some(Duration::from_millis(30)),
        grace: Duration::from_millis(30),
        capacity: 1,
        ..Setup::default()
    };
    let worker = rig.worker("w", setup, async |_, job| match job.payload.get() {
        "1" => std::future::pending().await,
        _ => Ok("0".into()),
    });
    let record = rig.until_state(id, JobState::Failed).await;
    assert_eq!(record.error.unwrap().code, FailureCode::Timeout);
    // Its place is free again.
    let next = rig.submit("2", JobOptions::default()).await;
    rig.until_state(next, JobState::Completed).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_jobs_own_pauses_hold_on_every_worker() {
    let rig = Rig::new().await;
    let policy = RetryPolicy::Exponential {
        initial_ms: 10_000,
        max_ms: 15_000,
        jitter: 0.0,
    };
    let options = JobOptions {
        retry: Some(policy),
        ..JobOptions::default()
    };
    let id = rig.submit("1", options).await;
    assert_eq!(rig.get(id).await.retry, Some(policy));
    for (name, pause) in [("a", 10_000), ("b", 15_000)] {
        let worker = rig.worker(name, Setup::default(), async |_, _| Err("no".into()));
        let record = broker::testing::until("it rests", async || {
            let record = rig.get(id).await;
            (record.state == JobState::Delayed && record.worker.as_deref() == Some(name))
                .then_some(record)
        })
        .await;
        let rest = record.due_at.unwrap() - record.started_at.unwrap();
        assert!((pause..pause + 5_000).contains(&rest), "{rest}");
        worker.stop().await;
        // Its time comes, as if it had passed.
        let _: i64 = rig
            .server
            .command(&["ZADD", "test{chat}:delayed", "1", &id.to_string()])
            .await;
    }
}

#[tokio::test]
async fn attempts_that_were_handed_back_do_not_lengthen_the_pause() {
    let rig = Rig::new().await;
    let policy = RetryPolicy::Exponential {
        initial_ms: 10_000,
        max_ms: 1_000_000,
        jitter: 0.0,
    };
    let options = JobOptions {
        retry: Some(policy),
        ..JobOptions::default()
    };
    let id = rig.submit("1", options).await;
    for name in ["a", "b", "c"] {
        let worker = rig.worker(name, Setup::default(), async |_, _| {
            std::future::pending().await
        });
        rig.until_state(id, JobState::Active).await;
        worker.hard.cancel();
        worker.end().await;
    }
    assert_eq!(rig.get(id).await.handed_back, 3);
    let worker = rig.worker("d", Setup::default(), async |_, _| Err("no".into()));
    let record = rig.until_state(id, JobState::Delayed).await;
    let rest = record.due_at.unwrap() - record.started_at.unwrap();
    assert!((10_000..15_000).contains(&rest), "{rest}");
    worker.stop().await;
}
