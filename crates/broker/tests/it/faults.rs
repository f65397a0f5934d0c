//! What Redis may do to a worker, and what must happen all the same.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use broker::{QueueArgs, testing::TestRedis, testing::until};
use protocol::{JobId, JobOptions, JobState};

use crate::rig::{Rig, Setup, Worker};

/// How often each job ran.
type Runs = Arc<Mutex<HashMap<JobId, u32>>>;

fn counting(rig: &Rig, name: &str, runs: &Runs) -> Worker {
    let runs = Arc::clone(runs);
    rig.worker(name, Setup::default(), move |handle, _| {
        *runs.lock().unwrap().entry(handle.id()).or_default() += 1;
        async {
            tokio::task::yield_now().await;
            Ok("0".into())
        }
    })
}

async fn all_done(rig: &Rig, ids: &[JobId]) {
    for id in ids {
        rig.until_state(*id, JobState::Completed).await;
    }
}

#[tokio::test]
async fn flushed_scripts_are_loaded_again() {
    let rig = Rig::new().await;
    let runs = Runs::default();
    let worker = counting(&rig, "w", &runs);
    let mut ids = Vec::new();
    for _ in 0..20 {
        let _: String = rig.server.command(&["SCRIPT", "FLUSH"]).await;
        ids.push(rig.submit("1", JobOptions::default()).await);
    }
    all_done(&rig, &ids).await;
    worker.stop().await;
}

#[tokio::test]
async fn redis_killed_while_busy_loses_and_doubles_nothing() {
    let mut rig = Rig::on(TestRedis::durable().await, QueueArgs::default());
    let runs = Runs::default();
    let mut workers = [counting(&rig, "a", &runs), counting(&rig, "b", &runs)];
    let mut ids = Vec::new();
    for _ in 0..3 {
        let submits = (0..200).map(|_| {
            let producer = rig.producer.clone();
            let id = broker::Producer::new_id();
            ids.push(id);
            rig.tracker.spawn(async move {
                producer
                    .submit(id, crate::rig::job("1", JobOptions::default()))
                    .await
                    .unwrap();
            })
        });
        let submits: Vec<_> = submits.collect();
        until("some are done", async || {
            let (_, totals) = rig.inspector.counts(&rig.queue).await.ok()?;
            (totals.completed > 20).then_some(())
        })
        .await;
        rig.server.kill();
        rig.server.run().await;
        for submit in submits {
            submit.await.unwrap();
        }
    }
    all_done(&rig, &ids).await;
    for worker in &mut workers {
        worker.until_ready(true).await;
    }
    let runs = runs.lock().unwrap();
    let doubled: Vec<_> = runs.values().filter(|count| **count > 1).collect();
    assert_eq!((runs.len(), doubled.len()), (600, 0));
}

#[tokio::test]
async fn a_stalled_redis_is_waited_for() {
    let server = TestRedis::start().await;
    let mut args = server.args("test");
    args.redis_timeout_ms = 200;
    let mut rig = Rig::on(server, QueueArgs::default());
    rig.redis = broker::Redis::new(&args).unwrap();
    let runs = Runs::default();
    let mut worker = counting(&rig, "w", &runs);
    worker.until_ready(true).await;
    rig.server.stall();
    // Idle, the worker notices when it looks next; it does not end.
    worker.until_ready(false).await;
    rig.server.resume();
    worker.until_ready(true).await;
    let id = rig.submit("1", JobOptions::default()).await;
    rig.until_state(id, JobState::Completed).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_with_no_place_left_notices_that_redis_is_away() {
    let server = TestRedis::start().await;
    let mut args = server.args("test");
    args.redis_timeout_ms = 200;
    let mut rig = Rig::on(server, QueueArgs::default());
    rig.redis = broker::Redis::new(&args).unwrap();
    let setup = Setup {
        capacity: 1,
        lease: Duration::from_millis(900),
        ..Setup::default()
    };
    let mut worker = rig.worker("w", setup, async |_, _| std::future::pending().await);
    let id = rig.submit("1", JobOptions::default()).await;
    rig.until_state(id, JobState::Active).await;
    worker.until_ready(true).await;
    rig.server.stall();
    worker.until_ready(false).await;
    rig.server.resume();
    worker.until_ready(true).await;
    worker.hard.cancel();
    worker.end().await;
}

#[tokio::test]
async fn a_worker_waits_for_redis_to_come() {
    let mut rig = Rig::on(TestRedis::stopped(&[]), QueueArgs::default());
    let runs = Runs::default();
    let mut worker = counting(&rig, "w", &runs);
    assert!(!*worker.ready.borrow());
    rig.server.run().await;
    worker.until_ready(true).await;
    let id = rig.submit("1", JobOptions::default()).await;
    rig.until_state(id, JobState::Completed).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_stops_while_redis_is_away() {
    let mut rig = Rig::new().await;
    let mut worker = counting(&rig, "w", &Runs::default());
    worker.until_ready(true).await;
    rig.server.kill();
    worker.soft.cancel();
    worker.hard.cancel();
    worker.end().await;
}

#[tokio::test]
async fn a_lost_wake_up_is_made_good() {
    let rig = Rig::new().await;
    let mut worker = counting(&rig, "w", &Runs::default());
    worker.until_ready(true).await;
    // A job comes to wait and the token goes to a worker that dies with it: nobody is woken.
    let id = rig
        .submit(
            "1",
            JobOptions {
                delay_ms: 600_000,
                ..JobOptions::default()
            },
        )
        .await;
    let text = id.to_string();
    let _: i64 = rig
        .server
        .command(&["ZREM", "test{chat}:delayed", &text])
        .await;
    rig.rewrite(id, "delayed", "waiting").await;
    let _: i64 = rig
        .server
        .command(&["HINCRBY", "test{chat}:count", "waiting", "1"])
        .await;
    let _: i64 = rig
        .server
        .command(&["ZADD", "test{chat}:wait:1:public", "1", &text])
        .await;
    let _: i64 = rig
        .server
        .command(&["ZADD", "test{chat}:ring:1", "1", "public"])
        .await;
    rig.until_state(id, JobState::Completed).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_lease_is_renewed_while_the_job_runs() {
    let rig = Rig::new().await;
    let setup = Setup {
        lease: Duration::from_millis(500),
        ..Setup::default()
    };
    let finish = Arc::new(tokio::sync::Semaphore::new(0));
    let worker = {
        let finish = Arc::clone(&finish);
        rig.worker("w", setup, move |handle, _| {
            let finish = Arc::clone(&finish);
            async move {
                let _permit = finish.acquire().await?;
                assert!(!handle.cancelled().is_cancelled());
                Ok("0".into())
            }
        })
    };
    let id = rig.submit("1", JobOptions::default()).await;
    let started = rig
        .until_state(id, JobState::Active)
        .await
        .started_at
        .unwrap();
    until("the lease was renewed three times", async || {
        let key = "test{chat}:active";
        let deadline: Option<u64> = rig.server.command(&["ZSCORE", key, &id.to_string()]).await;
        deadline
            .is_some_and(|deadline| deadline > started + 3 * 500)
            .then_some(())
    })
    .await;
    finish.add_permits(1);
    let record = rig.until_state(id, JobState::Completed).await;
    assert_eq!(record.attempt, 1);
    assert_eq!(rig.inspector.counts(&rig.queue).await.unwrap().1.lost, 0);
    worker.stop().await;
}

#[tokio::test]
async fn two_workers_share_the_work() {
    let rig = Rig::new().await;
    let runs = Runs::default();
    let (a, b) = (counting(&rig, "a", &runs), counting(&rig, "b", &runs));
    let mut ids = Vec::new();
    for _ in 0..300 {
        ids.push(rig.submit("1", JobOptions::default()).await);
    }
    all_done(&rig, &ids).await;
    assert!(runs.lock().unwrap().values().all(|count| *count == 1));
    a.stop().await;
    b.stop().await;
}

#[tokio::test]
async fn a_handler_is_told_that_its_lease_is_lost() {
    let rig = Rig::new().await;
    let setup = Setup {
        lease: Duration::from_millis(500),
        capacity: 1,
        ..Setup::default()
    };
    let (handles, mut started) = tokio::sync::mpsc::channel(1);
    let worker = rig.worker("w", setup, move |handle, _| {
        let handles = handles.clone();
        async move {
            handles.send(handle.clone()).await?;
            handle.cancelled().cancelled().await;
            Ok("0".into())
        }
    });
    let id = rig.submit("1", JobOptions::default()).await;
    let handle = started.recv().await.unwrap();
    // Another worker has it: the next renewal finds out.
    rig.rewrite(id, "worker=w", "worker=another").await;
    tokio::time::timeout(broker::testing::PATIENCE, handle.cancelled().cancelled())
        .await
        .unwrap();
    worker.stop().await;
    assert_eq!(rig.get(id).await.state, JobState::Active);
}
