//! Workers in Redis' eyes: the registry, and leases that nothing in the process can starve.

use std::{sync::mpsc, time::Duration};

use broker::{
    Redis, RedisArgs,
    testing::{self, until},
};
use protocol::{FailureCode, JobOptions, JobState};

use crate::rig::{Rig, Setup};

#[tokio::test]
async fn a_worker_is_in_the_registry_while_it_lives() {
    let rig = Rig::new().await;
    let setup = Setup {
        kinds: &["test", "other"],
        lease: Duration::from_millis(600),
        ..Setup::default()
    };
    let worker = rig.worker("w", setup, async |_, _| std::future::pending().await);
    rig.submit("1", JobOptions::default()).await;
    let status = until("it says that it holds a job", async || {
        let workers = rig.inspector.workers(&rig.queue).await.unwrap();
        workers.into_iter().find(|worker| worker.card.active == 1)
    })
    .await;
    assert!(status.alive && status.beat_at > 0);
    assert_eq!(status.name, "w");
    assert_eq!(status.kinds.len(), 2);
    worker.hard.cancel();
    worker.end().await;
    assert!(rig.inspector.workers(&rig.queue).await.unwrap().is_empty());
    let left: Vec<String> = rig.server.command(&["KEYS", "test{chat}:kind:*"]).await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_dead_worker_is_shown_as_dead() {
    let rig = Rig::new().await;
    let _: i64 = rig
        .server
        .command(&["ZADD", "test{chat}:workers", "5", "gone"])
        .await;
    let workers = rig.inspector.workers(&rig.queue).await.unwrap();
    assert!(!workers[0].alive);
    rig.maintenance().run(&rig.queue).await.unwrap();
    assert!(rig.inspector.workers(&rig.queue).await.unwrap().is_empty());
}

/// The runtime of this test has one thread, and the handler blocks it.
#[tokio::test]
async fn a_handler_that_blocks_its_thread_does_not_lose_its_lease() {
    let rig = Rig::new().await;
    let setup = Setup {
        lease: Duration::from_millis(600),
        ..Setup::default()
    };
    let id = rig.submit("1", JobOptions::default()).await;
    let key = format!("test{{chat}}:job:{id}");
    let args = rig.server.args("test");
    let worker = rig.worker("w", setup, move |_, _| {
        let (key, args) = (key.clone(), args.clone());
        async move {
            // Another thread looks on for two leases while this one is blocked.
            let (seen, watch) = mpsc::sync_channel(1);
            std::thread::spawn(move || seen.send(lives_on(&args, &key)));
            let lives = watch.recv()?;
            Ok(format!("\"{lives}\""))
        }
    });
    let record = rig.until_state(id, JobState::Completed).await;
    assert_eq!(record.result.unwrap().get(), "\"renewed 5 times\"");
    assert_eq!(record.attempt, 1);
    worker.stop().await;
}

/// Waits for five renewals, seen by the deadline moving, and for as long for a sweep to find the job lost.
fn lives_on(args: &RedisArgs, key: &str) -> String {
    let id = key.rsplit(':').next().unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let redis = Redis::new(args).unwrap();
        let mut deadlines = std::collections::BTreeSet::new();
        until("the lease was renewed five times", async || {
            let deadline: Option<f64> =
                testing::command(&redis, &["ZSCORE", "test{chat}:active", &id]).await;
            #[allow(clippy::cast_possible_truncation, reason = "whole milliseconds")]
            deadlines.insert(deadline? as i64);
            (deadlines.len() > 5).then_some(())
        })
        .await;
        format!("renewed {} times", deadlines.len() - 1)
    })
}

#[tokio::test]
async fn a_handler_that_blocks_beyond_its_time_is_given_up() {
    let rig = Rig::new().await;
    let setup = Setup {
        lease: Duration::from_millis(500),
        grace: Duration::from_millis(1),
        capacity: 1,
        ..Setup::default()
    };
    let options = JobOptions {
        timeout_ms: Some(50),
        max_attempts: 1,
        ..JobOptions::default()
    };
    // This connects, so that the connection does not live on the runtime that will be blocked.
    let id = rig.submit("1", options).await;
    let blocked_runtime = tokio::runtime::Runtime::new().unwrap();
    let (release, blocked) = mpsc::sync_channel::<()>(1);
    let blocked = std::sync::Mutex::new(Some(blocked));
    let worker = {
        let _entered = blocked_runtime.enter();
        rig.worker("w", setup, move |_, _| {
            let blocked = blocked.lock().unwrap().take();
            async move {
                let _ = blocked.unwrap().recv();
                Ok("\"too late\"".into())
            }
        })
    };
    rig.until_state(id, JobState::Active).await;
    until("nobody renews its lease any more", async || {
        rig.maintenance().run(&rig.queue).await.unwrap();
        (rig.get(id).await.state == JobState::Failed).then_some(())
    })
    .await;
    let record = rig.get(id).await;
    assert_eq!(record.error.unwrap().code, FailureCode::LeaseLost);
    drop(release);
    worker.stop().await;
    blocked_runtime.shutdown_background();
    // Its late result was refused.
    assert_eq!(rig.get(id).await.state, JobState::Failed);
}
