//! The life of a job under an apalis worker.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use apalis_core::{backend::TaskSink as _, task::builder::TaskBuilder, task::task_id::TaskId};
use broker::{JobError, OnReceipt, Producer, RedisBackend, testing::until};
use protocol::{EventType, FailureCode, JobOptions, JobState};
use serde_json::value::to_raw_value;
use tokio::sync::{Semaphore, mpsc};

use crate::rig::{Rig, Setup, job};

#[tokio::test]
async fn a_job_runs_and_its_result_is_kept() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |_, job| {
        Ok(format!("[{}]", job.payload.get()))
    });
    let id = rig.submit(r#"{"a":1}"#, JobOptions::default()).await;
    let record = rig.until_state(id, JobState::Completed).await;
    assert_eq!(record.result.unwrap().get(), r#"[{"a":1}]"#);
    assert_eq!((record.attempt, record.handed_back), (1, 0));
    assert_eq!(record.worker.as_deref(), Some("w"));
    assert!(record.created_at <= record.started_at.unwrap());
    assert!(record.started_at <= record.finished_at);
    worker.stop().await;
}

#[tokio::test]
async fn jobs_go_in_through_the_apalis_sink() {
    let rig = Rig::new().await;
    let mut sink = RedisBackend::new(rig.redis.clone(), rig.args.clone(), rig.producer.clone());
    let (receipts, mut received) = mpsc::channel(8);
    let id = Producer::new_id();
    let task = TaskBuilder::new(job("1", JobOptions::default()))
        .task_id(TaskId::from_string(id.to_string()))
        .max_attempts(3)
        .data(OnReceipt::new(move |receipt| {
            receipts.try_send(receipt).unwrap();
        }))
        .build();
    sink.push_task(task).await.unwrap();
    // Flushing returned, so the job is stored and its receipt was given.
    let receipt = received.try_recv().unwrap().unwrap();
    assert_eq!(
        (receipt.id, receipt.duplicate, receipt.offset),
        (id, false, 1)
    );
    assert_eq!(rig.get(id).await.max_attempts, 3);

    let bad = JobOptions {
        max_attempts: 0,
        ..JobOptions::default()
    };
    assert!(sink.push(job("1", bad)).await.is_err());
    sink.push(job("2", JobOptions::default())).await.unwrap();
    assert_eq!(rig.inspector.counts(&rig.queue).await.unwrap().0.waiting, 2);
}

#[tokio::test]
async fn a_failed_attempt_is_followed_by_another() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |handle, _| {
        if handle.attempt() < 3 {
            return Err(JobError::retry_after("not yet", Duration::from_millis(20)).into());
        }
        Ok("true".into())
    });
    let id = rig.submit("1", JobOptions::default()).await;
    let record = rig.until_state(id, JobState::Completed).await;
    assert_eq!(record.attempt, 3);
    assert!(record.error.is_none());
    let (_, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((totals.retried, totals.completed, totals.failed), (2, 1, 0));
    worker.stop().await;
}

#[tokio::test]
async fn attempts_run_out() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |_, _| {
        Err(JobError::retry_after("never", Duration::from_millis(1)).into())
    });
    let id = rig
        .submit(
            "1",
            JobOptions {
                max_attempts: 3,
                ..JobOptions::default()
            },
        )
        .await;
    let record = rig.until_state(id, JobState::Failed).await;
    assert_eq!(record.attempt, 3);
    assert_eq!(record.error.unwrap().message, "never");
    worker.stop().await;
}

#[tokio::test]
async fn an_error_that_says_so_is_not_tried_again() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |_, _| {
        Err(JobError::fatal(FailureCode::UnknownKind, "nobody can").into())
    });
    let id = rig.submit("1", JobOptions::default()).await;
    let record = rig.until_state(id, JobState::Failed).await;
    assert_eq!(
        (record.attempt, record.error.unwrap().code),
        (1, FailureCode::UnknownKind)
    );
    worker.stop().await;
}

#[tokio::test]
async fn a_damaged_job_fails_and_the_others_go_on() {
    let rig = Rig::new().await;
    let ids = [
        rig.submit("1", JobOptions::default()).await,
        rig.submit("2", JobOptions::default()).await,
        rig.submit("3", JobOptions::default()).await,
        rig.submit("4", JobOptions::default()).await,
    ];
    rig.rewrite(ids[0], "\n1", "\n{").await;
    rig.rewrite(ids[1], " test ", " ").await;
    rig.rewrite(ids[2], " test 5 ", " test many ").await;
    let worker = rig.worker("w", Setup::default(), async |_, _| Ok("0".into()));
    // What can be taken is taken first; what can't be read at all never begins.
    for (id, attempts) in ids.iter().zip([1, 0, 0]) {
        let record = rig.until_state(*id, JobState::Failed).await;
        assert_eq!(record.error.unwrap().code, FailureCode::Undecodable);
        assert_eq!(record.attempt, attempts);
    }
    rig.until_state(ids[3], JobState::Completed).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_late_result_is_refused() {
    let rig = Rig::new().await;
    let id = rig.submit("1", JobOptions::default()).await;
    let (started, mut starts) = mpsc::channel(1);
    let finish = Arc::new(Semaphore::new(0));
    let first = {
        let finish = Arc::clone(&finish);
        rig.worker(
            "first",
            Setup {
                lease: Duration::from_secs(60),
                capacity: 1,
                ..Setup::default()
            },
            move |handle, _| {
                let (started, finish) = (started.clone(), Arc::clone(&finish));
                async move {
                    started.send(handle).await?;
                    let _permit = finish.acquire().await?;
                    Ok("\"late\"".into())
                }
            },
        )
    };
    let handle = starts.recv().await.unwrap();
    rig.until_beat("first").await;
    // The lease runs out, as if the worker had hung.
    let _: i64 = rig
        .server
        .command(&["ZADD", "test{chat}:active", "1", &id.to_string()])
        .await;
    assert_eq!(rig.maintenance().run(&rig.queue).await.unwrap().lost, 1);
    let second = rig.worker("second", Setup::default(), async |_, _| {
        Ok("\"good\"".into())
    });
    until("the other worker has the job", async || {
        (rig.get(id).await.worker.as_deref() == Some("second")).then_some(())
    })
    .await;
    let record = rig.until_state(id, JobState::Completed).await;
    assert_eq!(
        (record.attempt, record.result.unwrap().get()),
        (2, "\"good\"")
    );

    // A word of the first attempt is refused, and tells its handler that it is over.
    handle
        .emit(EventType::Progress, to_raw_value(&1).unwrap())
        .await
        .unwrap();
    tokio::time::timeout(broker::testing::PATIENCE, handle.cancelled().cancelled())
        .await
        .unwrap();
    finish.add_permits(1);
    first.stop().await;
    assert_eq!(rig.get(id).await.result.unwrap().get(), "\"good\"");
    let (_, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((totals.stale, totals.completed, totals.lost), (2, 1, 1));
    second.stop().await;
}

#[tokio::test]
async fn a_job_that_kills_its_workers_ends_in_failed() {
    let rig = Rig::new().await;
    let id = rig
        .submit(
            "1",
            JobOptions {
                max_attempts: 2,
                ..JobOptions::default()
            },
        )
        .await;
    for attempt in 1..=2 {
        let (started, mut starts) = mpsc::channel(1);
        // A worker that is full does not take the job itself once it is lost.
        let setup = Setup {
            capacity: 1,
            ..Setup::default()
        };
        let worker = rig.worker(&format!("w{attempt}"), setup, move |_, _| {
            let started = started.clone();
            async move {
                started.send(()).await?;
                std::future::pending().await
            }
        });
        starts.recv().await.unwrap();
        rig.until_beat(&format!("w{attempt}")).await;
        let _: i64 = rig
            .server
            .command(&["ZADD", "test{chat}:active", "1", &id.to_string()])
            .await;
        assert_eq!(rig.maintenance().run(&rig.queue).await.unwrap().lost, 1);
        assert_ne!(rig.get(id).await.state, JobState::Active);
        worker.hard.cancel();
        worker.end().await;
    }
    let record = rig.until_state(id, JobState::Failed).await;
    assert_eq!(
        (record.attempt, record.error.unwrap().code),
        (2, FailureCode::LeaseLost)
    );
}

#[tokio::test]
async fn a_worker_holds_no_more_than_its_capacity() {
    let rig = Rig::new().await;
    for n in 0..40 {
        rig.submit(&n.to_string(), JobOptions::default()).await;
    }
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(0)));
    let worker = {
        let most = Arc::clone(&most);
        rig.worker(
            "w",
            Setup {
                capacity: 3,
                ..Setup::default()
            },
            move |_, _| {
                let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                async move {
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    {
                        let mut most = most.lock().unwrap();
                        *most = now.max(*most);
                    }
                    tokio::task::yield_now().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok("0".into())
                }
            },
        )
    };
    until("all are done", async || {
        (rig.inspector.counts(&rig.queue).await.unwrap().0.completed == 40).then_some(())
    })
    .await;
    assert!((1..=3).contains(&*most.lock().unwrap()));
    worker.stop().await;
}

#[tokio::test]
async fn a_delayed_job_runs_when_its_time_has_come() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |_, _| Ok("0".into()));
    let id = rig
        .submit(
            "1",
            JobOptions {
                delay_ms: 300,
                ..JobOptions::default()
            },
        )
        .await;
    let record = rig.until_state(id, JobState::Completed).await;
    assert!(record.started_at.unwrap() >= record.created_at + 300);
    worker.stop().await;
}
