//! SIGTERM of each process under load.

use e2e::{Ledger, Settings, System};
use nix::sys::signal::Signal;

use crate::traffic::{drained, settle, stream};

#[tokio::test]
async fn a_stopped_server_sends_its_clients_away_and_finishes_what_it_took() {
    let server: Vec<String> = ["--drain-window-ms", "500"].map(str::to_owned).into();
    let mut system = System::start(Settings {
        servers: 2,
        server,
        ..Settings::default()
    })
    .await;
    let watcher = system.client(1).await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(system.client(0).await);
    }
    for (n, client) in clients.iter_mut().enumerate() {
        for m in 0..50 {
            client.feed(&format!("client {n} message {m}")).await;
        }
        client.flush().await;
    }
    system.servers[0].signal(Signal::SIGTERM);
    for client in &clients {
        assert_eq!(client.until_closed().await, 1001);
    }
    let status = system.servers[0].ended().await;
    assert!(
        status.success(),
        "{status}; it logged:\n{}",
        system.servers[0].log()
    );
    drained(&system).await;
    let texts = watcher.texts();
    let accepted = Ledger::of(&texts).accepted();
    settle(&[&watcher], accepted).await;
    // What a client saw accepted is among it.
    for client in &clients {
        let ledger = Ledger::of(&client.texts());
        assert!(ledger.accepted() <= accepted);
    }
}

#[tokio::test]
async fn a_stopped_worker_finishes_its_jobs_and_leaves_the_rest() {
    let worker: Vec<String> = ["--chat-work-ms", "100", "--concurrency", "10"]
        .map(str::to_owned)
        .into();
    let mut system = System::start(Settings {
        workers: 2,
        worker,
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    stream(&mut client, "message", 200).await;
    system.workers[0].terminate().await;
    system.add_worker(&[]);
    settle(&[&client], 200).await;
    let (_, totals) = system.inspector().counts(&System::chat()).await.unwrap();
    assert_eq!((totals.completed, totals.lost, totals.stale), (200, 0, 0));
}

#[tokio::test]
async fn a_worker_whose_grace_is_over_hands_its_jobs_back_unspent() {
    let worker: Vec<String> = ["--chat-work-ms", "60000", "--shutdown-grace-ms", "300"]
        .map(str::to_owned)
        .into();
    let mut system = System::start(Settings {
        worker,
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    assert!(client.send("long").await);
    let inspector = system.inspector();
    let chat = System::chat();
    broker::testing::until("the job runs", async || {
        (inspector.counts(&chat).await.ok()?.0.active == 1).then_some(())
    })
    .await;
    system.workers[0].terminate().await;
    let (counts, totals) = inspector.counts(&chat).await.unwrap();
    assert_eq!(
        (counts.waiting, counts.active, totals.handed_back),
        (1, 0, 1)
    );
    let job = inspector
        .list(&chat, protocol::JobState::Waiting, 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!((job.attempt, job.handed_back), (1, 1));
}

#[tokio::test]
async fn everything_stops_by_itself_and_well() {
    let mut system = System::start(Settings {
        servers: 1,
        workers: 2,
        managers: 2,
        ..Settings::default()
    })
    .await;
    let mut client = system.client(0).await;
    stream(&mut client, "message", 100).await;
    settle(&[&client], 100).await;
    let processes = [
        &mut system.servers,
        &mut system.workers,
        &mut system.managers,
    ];
    for process in processes.into_iter().flatten() {
        process.terminate().await;
    }
}

#[tokio::test]
async fn everything_stops_while_redis_is_away() {
    let server: Vec<String> = ["--drain-window-ms", "500"].map(str::to_owned).into();
    let settings = Settings {
        server,
        ..Settings::default()
    };
    let mut system = System::start(settings).await;
    let client = system.client(0).await;
    system.redis.kill();
    system.all_answer(503).await;
    // Nothing is under way, so one signal is enough and no grace has to run out.
    let processes = [
        &mut system.servers,
        &mut system.workers,
        &mut system.managers,
    ];
    for process in processes.into_iter().flatten() {
        process.terminate().await;
    }
    client.until_closed().await;
}
