//! What an operator sets for a queue, and who works on it.

use std::time::Duration;

use broker::testing::until;
use protocol::{JobOptions, JobState};

use crate::rig::{Rig, Worker, name};

fn of(tenant: &str) -> JobOptions {
    JobOptions {
        tenant: tenant.parse().unwrap(),
        ..JobOptions::default()
    }
}

#[tokio::test]
async fn a_paused_queue_runs_nothing_until_it_is_resumed() {
    let rig = Rig::start("pause").await;
    let typo = rig.run(&["pause", "caht"]);
    assert_eq!(typo.complaint(1), "no queue is named `caht`");
    assert!(rig.inspector.queues().await.unwrap().is_empty());
    let paused = rig.run(&["pause", "chat", "--create", "--json"]).json();
    let expected = serde_json::json!({ "queue": "chat", "paused": true, "changed": true });
    assert_eq!(paused, expected);
    let id = rig.submit("chat", "done", "1", JobOptions::default()).await;
    let worker = Worker::start(&rig, "chat", Duration::from_secs(10));
    until("the worker waits for something to do", async || {
        let clients: String = rig.server.command(&["INFO", "clients"]).await;
        // For a message to it, and for a job.
        clients.contains("blocked_clients:2").then_some(())
    })
    .await;
    assert_eq!(rig.count("chat", JobState::Waiting).await, 1);
    assert_eq!(rig.run(&["pause", "chat"]).out, "It was paused already.\n");
    let stats = rig.run(&["stats"]).out;
    assert!(stats.contains("\nLIMITS  PAUSED "), "{stats}");
    let stats = rig.run(&["stats", "--json"]).json();
    assert_eq!(stats["queues"][0]["settings"]["paused"], true);
    assert_eq!(
        rig.run(&["resume", "chat"]).out,
        "Resumed: jobs run again.\n"
    );
    rig.until_state("chat", id, "completed").await;
    assert_eq!(rig.run(&["resume", "chat"]).out, "It was not paused.\n");
    assert!(!rig.run(&["stats"]).out.contains("LIMITS"));
    worker.kill();
}

#[tokio::test]
async fn limits_change_only_where_they_are_named() {
    let rig = Rig::start("limits").await;
    assert_eq!(rig.run(&["limits", "chat"]).code, 1);
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    let shown = rig.run(&["limits", "chat", "--json"]).json();
    let none = serde_json::json!({
        "queue": "chat",
        "paused": false,
        "limits": { "max_waiting": null, "max_waiting_bytes": null, "max_active": null, "rate": null },
        "each_tenant": { "max_waiting": null, "max_active": null, "rate": null },
        "tenants": [],
    });
    assert_eq!(shown, none);
    rig.run(&["pause", "chat"]);
    let line = "limits chat --max-waiting 10 --max-active 4 --rate 100/s --tenant-max-active 2";
    let set = rig.run(&line.split(' ').collect::<Vec<_>>()).out;
    assert!(set.contains("max active         4        2\n"), "{set}");
    let line = "limits chat --rate none --max-waiting-bytes 5000 --tenant-rate 7/m --json";
    let set = rig.run(&line.split(' ').collect::<Vec<_>>()).json();
    let limits = serde_json::json!({ "max_waiting": 10, "max_waiting_bytes": 5_000, "max_active": 4, "rate": null });
    assert_eq!(set["limits"], limits);
    assert_eq!(set["paused"], true);
    let each = serde_json::json!({ "max_waiting": null, "max_active": 2, "rate": { "jobs": 7, "per_ms": 60_000 } });
    assert_eq!(set["each_tenant"], each);

    // One tenant's own.
    let line = "limits chat --tenant acme --max-waiting 1 --rate 5/s --json";
    let set = rig.run(&line.split(' ').collect::<Vec<_>>()).json();
    let own = serde_json::json!({ "max_waiting": 1, "max_active": null, "rate": { "jobs": 5, "per_ms": 1_000 } });
    assert_eq!(set["limits"], own);
    let line = "limits chat --tenant acme --rate none";
    let set = rig.run(&line.split(' ').collect::<Vec<_>>()).out;
    assert!(
        set.ends_with("acme    1            -           -\n"),
        "{set}"
    );
    rig.submit("chat", "done", "1", of("acme")).await;
    let full = rig.run(&["enqueue", "done", "1", "--tenant", "acme"]);
    assert!(
        full.complaint(1).starts_with("the queue is full"),
        "{full:?}"
    );
    let tenants = rig.run(&["tenants", "chat"]).out;
    let row: Vec<_> = tenants.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["acme", "1", "0", "1", "-", "-"], "{tenants}");
    let tenants = rig.run(&["tenants", "chat", "--json"]).json();
    assert_eq!(tenants["tenants"][1]["tenant"], "public");
    assert_eq!(tenants["tenants"][1]["waiting"], 1);

    let cleared = rig.run(&["limits", "chat", "--clear", "--json"]).json();
    assert_eq!(cleared["limits"], none["limits"]);
    assert_eq!(cleared["each_tenant"], none["each_tenant"]);
    // Neither a pause nor a tenant's own limits are the queue's.
    assert_eq!(cleared["paused"], true);
    assert_eq!(cleared["tenants"][0]["tenant"], "acme");
    let line = "limits chat --tenant acme --clear --json";
    let set = rig.run(&line.split(' ').collect::<Vec<_>>()).json();
    assert!(set["limits"].is_null(), "{set}");
    assert!(rig.run(&["enqueue", "done", "1", "--tenant", "acme"]).code == 0);

    for bad in [
        "--rate 5",
        "--max-active -1",
        "--max-waiting x",
        "--tenant a:b",
        "--tenant acme --tenant-rate 5/s",
    ] {
        let line = format!("limits chat {bad}");
        let words: Vec<_> = line.split(' ').collect();
        assert_eq!(rig.run(&words).code, 2, "{bad}");
    }
}

#[tokio::test]
async fn workers_are_listed_alive_and_dead() {
    let rig = Rig::start("workers").await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    assert!(rig.run(&["workers"]).out.contains("No worker is alive"));
    let worker = Worker::start(&rig, "chat", Duration::from_secs(1));
    until("the worker is registered", async || {
        let workers = rig.inspector.workers(&name("chat")).await.unwrap();
        (!workers.is_empty()).then_some(())
    })
    .await;
    let shown = rig.run(&["workers", "chat"]).out;
    assert!(shown.starts_with("NAME "), "{shown}");
    assert!(shown.lines().nth(1).unwrap().contains(" yes "), "{shown}");
    let listed = rig.run(&["workers", "--json"]).json();
    let row = &listed["workers"][0];
    assert_eq!(
        (&row["name"], &row["queue"]),
        (&"w-1".into(), &"chat".into())
    );
    assert_eq!(row["alive"], true);
    assert!(row["beat_at"].as_u64().unwrap() > 0);
    assert_eq!(rig.run(&["workers", "video"]).code, 1);
    worker.kill();
    until("it has said goodbye", async || {
        let workers = rig.inspector.workers(&name("chat")).await.unwrap();
        workers.is_empty().then_some(())
    })
    .await;
    // One that had no time for it.
    let about =
        r#"{"host":"h-1","pid":42,"version":"0.1.0","concurrency":9,"active":3,"started_at":1}"#;
    let card = [
        "HSET",
        "workers{chat}:worker:w-0",
        "about",
        about,
        "beat",
        "1000",
        "kinds",
        "done",
    ];
    let _: i64 = rig.server.command(&card).await;
    let dead = ["ZADD", "workers{chat}:workers", "11000", "w-0"];
    let _: i64 = rig.server.command(&dead).await;
    let alive = rig.run(&["workers", "--json"]).json();
    assert_eq!(alive["workers"], serde_json::json!([]));
    let all = rig.run(&["workers", "--all", "--json"]).json();
    let row = &all["workers"][0];
    assert_eq!((&row["alive"], &row["pid"]), (&false.into(), &42.into()));
    assert_eq!(row["kinds"], serde_json::json!(["done"]));
    let shown = rig.run(&["workers", "--all"]).out;
    assert!(
        shown.contains(" h-1 ") && shown.contains(" 3/9 "),
        "{shown}"
    );
}

#[tokio::test]
async fn a_queue_is_split_and_shown_with_its_partitions() {
    let rig = Rig::start("partitions").await;
    let typo = rig.run(&["partitions", "caht", "3"]);
    assert_eq!(typo.complaint(1), "no queue is named `caht`");
    for count in ["0", "65", "x"] {
        assert_eq!(rig.run(&["partitions", "chat", count]).code, 2, "{count}");
    }
    let new = rig.run(&["partitions", "chat", "3", "--create", "--json"]);
    assert_eq!(new.json()["count"], 3);
    for n in 0..40 {
        rig.submit("chat", "done", &n.to_string(), JobOptions::default())
            .await;
    }
    let shown = rig.run(&["partitions", "chat", "2", "--json"]).json();
    let partitions = shown["partitions"].as_array().unwrap();
    let of = |what: &str| -> Vec<_> { partitions.iter().map(|one| one[what].clone()).collect() };
    assert_eq!(of("partition"), ["chat", "chat.1", "chat.2"]);
    assert_eq!(of("open"), [true, true, false]);
    let waiting: Vec<_> = of("waiting")
        .iter()
        .filter_map(serde_json::Value::as_u64)
        .collect();
    assert_eq!(waiting.iter().sum::<u64>(), 40);
    assert!(waiting.iter().all(|many| *many > 3), "{waiting:?}");
    let table = rig.run(&["partitions", "chat"]).out;
    let last = table.lines().last().unwrap();
    assert!(
        last.starts_with("chat.2 ") && last.contains(" no "),
        "{table}"
    );
    // What is set for the queue is set for all of it; each can be looked at on its own.
    rig.run(&["pause", "chat"]);
    let stats = rig.run(&["stats", "--json"]).json();
    for queue in stats["queues"].as_array().unwrap() {
        assert_eq!(queue["settings"]["paused"], true, "{queue}");
    }
    let jobs = rig.run(&["jobs", "--queue", "chat.1", "--json", "--limit", "100"]);
    let jobs = jobs.json()["jobs"].as_array().unwrap().len();
    assert_eq!(jobs as u64, waiting[1]);
    let refused = rig.run(&["partitions", "chat.1", "2"]);
    assert!(refused.complaint(1).contains("a partition of chat"));
    rig.submit("other.1", "done", "1", JobOptions::default())
        .await;
    let refused = rig.run(&["partitions", "other", "2", "--create"]);
    assert!(refused.complaint(1).contains("other.1, which is a queue"));
}
