//! What Redis may do to the whole system.

use broker::testing::{TestRedis, until};
use e2e::{Settings, System};

use crate::traffic::{settle, stream};

#[tokio::test]
async fn every_process_waits_for_redis_to_come() {
    let mut system = System::launch(
        TestRedis::stopped(&[]),
        Settings {
            servers: 2,
            workers: 2,
            ..Settings::default()
        },
    );
    system.all_answer(503).await;
    let processes = [&system.servers, &system.workers, &system.managers];
    for process in processes.into_iter().flatten() {
        assert_eq!(process.get("/livez").await.map(|(code, _)| code), Some(200));
        until("it says so", async || {
            process.log().contains("Redis").then_some(())
        })
        .await;
    }
    system.redis.run().await;
    system.ready().await;
    let mut client = system.client(0).await;
    assert!(client.send("at last").await);
    settle(&[&client], 1).await;
}

#[tokio::test]
async fn redis_killed_while_busy_loses_nothing_that_was_accepted() {
    let mut system = System::start(Settings {
        servers: 2,
        workers: 2,
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    let watcher = system.client(1).await;
    for round in 0..3 {
        stream(&mut client, &format!("round {round} message"), 300).await;
        system.redis.kill();
        // Some are sent while it is away: they wait, and are taken when it is back.
        for n in 0..20 {
            assert!(client.send(&format!("round {round} meanwhile {n}")).await);
        }
        system.redis.run().await;
    }
    settle(&[&client, &watcher], 960).await;
    system.ready().await;
}

#[tokio::test]
async fn a_stalled_redis_is_waited_for() {
    let mut system = System::start(Settings::default()).await;
    let mut client = system.client(0).await;
    stream(&mut client, "before", 50).await;
    system.redis.stall();
    for n in 0..20 {
        assert!(client.send(&format!("meanwhile {n}")).await);
    }
    // Longer than a client of Redis waits by default, shorter than ours gives up.
    let stalled = std::time::Instant::now();
    until("it stalled for a second and a half", async || {
        (stalled.elapsed().as_millis() > 1_500).then_some(())
    })
    .await;
    system.redis.resume();
    settle(&[&client], 70).await;
    system.ready().await;
}

#[tokio::test]
async fn flushed_scripts_are_loaded_again() {
    let system = System::start(Settings {
        workers: 2,
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    for round in 0..20 {
        stream(&mut client, &format!("round {round} message"), 20).await;
        let _: String = system.redis.command(&["SCRIPT", "FLUSH"]).await;
    }
    settle(&[&client], 400).await;
}

#[tokio::test]
async fn a_cut_connection_is_made_again() {
    let system = System::start(Settings {
        workers: 2,
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    for round in 0..10 {
        stream(&mut client, &format!("round {round} message"), 50).await;
        for kind in ["normal", "pubsub"] {
            let _: i64 = system
                .redis
                .command(&["CLIENT", "KILL", "TYPE", kind])
                .await;
        }
    }
    settle(&[&client], 500).await;
}
