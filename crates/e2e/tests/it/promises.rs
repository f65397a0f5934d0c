//! What a deployment promises, refuses and warns of.

use std::time::{Duration, Instant};

use broker::{
    Control, Done, QueueArgs, QueueSettings,
    testing::{TestRedis, until},
};
use e2e::{Settings, System};
use protocol::JobState;

async fn logged(process: &e2e::Process, what: &str) {
    until(&format!("{what:?} is logged"), async || {
        process.log().contains(what).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_process_warns_of_an_unsafe_redis() {
    let redis =
        TestRedis::start_with(&["--appendonly", "no", "--maxmemory-policy", "allkeys-lru"]).await;
    let system = System::launch(redis, Settings::default());
    for process in [&system.servers[0], &system.workers[0], &system.managers[0]] {
        logged(process, "`appendonly no`").await;
        logged(process, "`maxmemory-policy allkeys-lru`").await;
    }
}

#[tokio::test]
async fn a_server_does_not_promise_what_redis_can_not_keep() {
    let server: Vec<String> = ["--durability", "fsynced"].map(str::to_owned).into();
    let settings = Settings {
        server,
        ..Settings::default()
    };
    let mut system = System::launch(TestRedis::start().await, settings.clone());
    let status = system.servers[0].ended().await;
    assert_eq!(status.code(), Some(1));
    logged(&system.servers[0], "needs `appendonly yes`").await;
    // Where it can, messages are taken.
    let system = System::start(settings).await;
    let mut client = system.client(0).await;
    client.send("safe").await;
    client.until_count(2).await;
}

#[tokio::test]
async fn a_sender_is_told_that_the_queue_is_full_and_the_others_see_nothing() {
    let system = System::start(Settings::default()).await;
    let control = Control::new(system.connect(), QueueArgs::default());
    let settings = QueueSettings {
        paused: true,
        max_waiting: Some(1),
        ..QueueSettings::default()
    };
    control.set(&System::chat(), &settings).await.unwrap();
    let mut client = system.client(0).await;
    let other = system.client(0).await;
    client.send("first").await;
    client.until_count(1).await;
    client.send("second").await;
    let texts = client.until_count(2).await;
    assert!(
        texts[1].starts_with(r#"{"error":"queue_full","message":"#),
        "{texts:?}"
    );
    control.pause(&System::chat(), false).await.unwrap();
    let texts = other.until_count(2).await;
    assert!(
        texts[0] == "first" && texts[1].contains(r#""msg":"first""#),
        "{texts:?}"
    );
}

#[tokio::test]
async fn a_running_job_is_cancelled_on_whichever_worker_has_it() {
    let worker: Vec<String> = ["--chat-work-ms", "600000", "--lease-ms", "60000"]
        .map(str::to_owned)
        .into();
    let mut system = System::start(Settings {
        workers: 3,
        worker,
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    for n in 0..6 {
        client.send(&format!("message {n}")).await;
    }
    let inspector = system.inspector();
    let active = until("six are active", async || {
        let jobs = inspector
            .list(&System::chat(), JobState::Active, 10)
            .await
            .ok()?;
        (jobs.len() == 6).then_some(jobs)
    })
    .await;
    let control = Control::new(system.connect(), QueueArgs::default());
    let ids: Vec<_> = active.iter().map(|job| job.id).collect();
    let asked = Instant::now();
    let done = control.cancel(&System::chat(), &ids, None).await.unwrap();
    assert!(done.iter().all(|done| *done == Done::Requested), "{done:?}");
    until("all are cancelled", async || {
        let (counts, _) = inspector.counts(&System::chat()).await.ok()?;
        (counts.cancelled == 6 && counts.active == 0).then_some(())
    })
    .await;
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    // The workers go on.
    let workers = inspector.workers(&System::chat()).await.unwrap();
    assert_eq!(workers.iter().filter(|worker| worker.alive).count(), 3);
    for worker in &mut system.workers {
        worker.terminate().await;
    }
    let workers = inspector.workers(&System::chat()).await.unwrap();
    assert!(workers.is_empty(), "{workers:?}");
}
