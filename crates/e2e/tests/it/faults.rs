//! Processes that are killed.

use std::time::{Duration, Instant};

use broker::testing::until;
use e2e::{Ledger, Settings, System};
use protocol::JobState;

use crate::traffic::{settle, stream};

#[tokio::test]
async fn a_killed_workers_job_is_done_again_within_15_seconds() {
    // Default settings, but for work that takes long enough to be killed in.
    let worker = vec!["--chat-work-ms".to_owned(), "2000".to_owned()];
    let mut system = System::start(Settings {
        worker,
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    assert!(client.send("hard work").await);
    let inspector = system.inspector();
    let active = async || {
        inspector
            .list(&System::chat(), JobState::Active, 10)
            .await
            .ok()?
            .pop()
    };
    let first = until("the job runs", active).await;
    system.workers[0].kill();
    let killed = Instant::now();
    system.add_worker(&[]);
    let second = until("the job runs again", async || {
        let job = active().await?;
        (job.worker != first.worker).then_some(job)
    })
    .await;
    let again = killed.elapsed();
    println!("killed to running again: {again:?}");
    assert!(again < Duration::from_secs(15), "{again:?}");
    assert_eq!((second.id, second.attempt), (first.id, 2));
    settle(&[&client], 1).await;
}

#[tokio::test]
async fn killed_workers_lose_and_double_nothing() {
    let worker: Vec<String> = ["--lease-ms", "1000", "--chat-work-ms", "5"]
        .map(str::to_owned)
        .into();
    let mut system = System::start(Settings {
        workers: 3,
        worker,
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    let watcher = system.client(0).await;
    for round in 0..3 {
        stream(&mut client, &format!("round {round} message"), 300).await;
        system.workers[round].kill();
        system.add_worker(&[]);
    }
    settle(&[&client, &watcher], 900).await;
}

#[tokio::test]
async fn a_killed_server_loses_nothing_that_it_accepted() {
    let worker: Vec<String> = ["--chat-work-ms", "20"].map(str::to_owned).into();
    let mut system = System::start(Settings {
        servers: 2,
        worker,
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    let watcher = system.client(1).await;
    for n in 0..500 {
        client.feed(&format!("message {n}")).await;
    }
    client.flush().await;
    until("some are accepted", async || {
        (Ledger::of(&watcher.texts()).accepted() > 50).then_some(())
    })
    .await;
    system.servers[0].kill();
    client.until_closed().await;
    // Whatever was seen as accepted, by anyone, has its result in the end.
    until("all that was accepted is done", async || {
        let ledger = Ledger::of(&watcher.texts());
        let (counts, _) = system.inspector().counts(&System::chat()).await.ok()?;
        let idle = counts.waiting + counts.active + counts.delayed == 0;
        (idle && ledger.accepted() == ledger.done()).then_some(())
    })
    .await;
    let (of_client, of_watcher) = (Ledger::of(&client.texts()), Ledger::of(&watcher.texts()));
    of_watcher.check().unwrap();
    assert!(of_client.accepted() <= of_watcher.accepted());
    // The client goes on at the other server.
    let mut again = system.client(1).await;
    assert!(again.send("I am back").await);
    settle(&[&again], 1).await;
}

#[tokio::test]
async fn a_killed_queue_manager_stops_nothing() {
    let mut system = System::start(Settings {
        managers: 2,
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    stream(&mut client, "before", 100).await;
    system.managers[0].kill();
    stream(&mut client, "between", 100).await;
    system.managers[1].kill();
    stream(&mut client, "after", 100).await;
    settle(&[&client], 300).await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_closed_and_the_others_go_on() {
    let server: Vec<String> = ["--outbox-frames", "256", "--write-timeout-ms", "2000"]
        .map(str::to_owned)
        .into();
    let system = System::start(Settings {
        server,
        ..Settings::default()
    })
    .await;
    let mut sleepers = Vec::new();
    for _ in 0..5 {
        let url = format!("ws://127.0.0.1:{}/", system.servers[0].port());
        // Connected, and never polled.
        sleepers.push(tokio_tungstenite::connect_async(url).await.unwrap());
    }
    let mut client = system.client(0).await;
    let text = "x".repeat(10_000);
    let mut sent = 0;
    until("the sleepers are closed", async || {
        for _ in 0..20 {
            client.send(&format!("{sent} {text}")).await;
            sent += 1;
        }
        client.until_count(sent * 2).await;
        let (_, metrics) = system.servers[0].get("/metrics").await?;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("ws_connections "))?;
        (line.trim_end().ends_with(" 1")).then_some(())
    })
    .await;
    settle(&[&client], sent).await;
}
