//! A primary is lost with what only it had, and its clients are told.

use broker::testing::{PATIENCE, TestRedis, Topology, until};
use e2e::{Session, Settings, System};
use serde_json::{Value, json};

const CHANNEL: &str = "chat:lobby";
const PRIMARIES: usize = 3;

/// What one server says of itself under this name.
async fn said(redis: &TestRedis, n: usize, name: &str) -> String {
    let info: String = redis.command_at(n, &["INFO"]).await;
    let mut lines = info.lines().map(str::trim);
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.expect("it says so").to_owned()
}

/// Waits until a replica has all that its primary has, and has it on the disk.
async fn has_all(redis: &TestRedis, replica: usize, primary: usize) {
    until("the replica has everything", async || {
        // In this order: what is written later is in the file that is written anew, or follows it.
        let told = said(redis, primary, "master_repl_offset").await;
        let heard = said(redis, replica, "slave_repl_offset").await;
        let rewrites = said(redis, replica, "aof_rewrite_in_progress").await;
        let scheduled = said(redis, replica, "aof_rewrite_scheduled").await;
        (told == heard && rewrites == "0" && scheduled == "0").then_some(())
    })
    .await;
}

async fn submit(session: &mut Session) -> Value {
    let job = json!({ "queue": "chat", "kind": "chat", "payload": { "msg": "hi" }, "options": { "topic": "lobby" } });
    let receipt = session.rpc("job.submit", job).await.unwrap();
    assert!(receipt["error"].is_null(), "{receipt}");
    receipt
}

/// The next push that has a field.
async fn next(session: &mut Session, field: &str) -> Value {
    let next = async {
        loop {
            let push = session.push().await.expect("the session goes on");
            if !push[field].is_null() {
                return push[field].clone();
            }
        }
    };
    let next = tokio::time::timeout(PATIENCE, next).await;
    next.unwrap_or_else(|_| panic!("no {field} is pushed"))
}

async fn subscribe(session: &mut Session, more: Value) -> Value {
    let mut wish = json!({ "channel": CHANNEL, "recoverable": true, "positioned": true });
    for (name, value) in more.as_object().unwrap() {
        wish[name] = value.clone();
    }
    let answer = session.ask("subscribe", wish).await.unwrap();
    assert!(answer["error"].is_null(), "{answer}");
    answer
}

#[tokio::test]
async fn who_saw_what_a_failover_lost_is_told_and_others_go_on() {
    let topology = Topology::Cluster {
        primaries: PRIMARIES,
        replicas: 1,
        node_timeout_ms: 1_000,
    };
    // A replica that was away may take over here; what it did not get is lost.
    let options = [
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--cluster-replica-validity-factor",
        "0",
    ];
    let redis = TestRedis::start_as(topology, &options).await;
    let settings = Settings {
        workers: 0,
        managers: 0,
        ..Settings::default()
    };
    let mut system = System::launch(redis, settings);
    system.ready().await;
    let port = system.servers[0].port();
    let mut one = Session::connect(port).await.unwrap();
    let began = subscribe(&mut one, json!({})).await;
    let epoch = &began["epoch"];

    let kept = submit(&mut one).await;
    assert_eq!(next(&mut one, "pub").await["offset"], 1);
    let primary = system.redis.owner("dwb{chat}:").await;
    let replica = primary + PRIMARIES;
    has_all(&system.redis, replica, primary).await;
    system.redis.kill_one(replica);
    let lost = submit(&mut one).await;
    assert_eq!(next(&mut one, "pub").await["offset"], 2);
    system.redis.kill_one(primary);
    system.redis.start_one(replica);
    system.redis.replaced(primary).await;

    let ended = next(&mut one, "unsubscribe").await;
    assert_eq!(ended["code"], 2500, "{ended}");
    let back = json!({ "recover": true, "epoch": epoch, "offset": 2 });
    let back = subscribe(&mut one, back).await;
    assert_eq!(back["recovered"], json!(null), "{back}");
    assert_eq!(back["offset"], 1, "{back}");

    // Whoever had seen no more than what is left misses nothing.
    let mut other = Session::connect(port).await.unwrap();
    let recovery = json!({ "recover": true, "epoch": epoch, "offset": 1 });
    let recovered = subscribe(&mut other, recovery).await;
    assert_eq!(recovered["recovered"], true, "{recovered}");

    let of = |receipt: &Value| json!({ "queue": "chat", "id": receipt["id"] });
    let there = one.rpc("job.get", of(&kept)).await.unwrap();
    assert_eq!(there["state"], "waiting", "{there}");
    let gone = one.rpc("job.get", of(&lost)).await.unwrap();
    assert_eq!(gone["error"]["code"], 404, "{gone}");
    // The log goes on under another epoch, which clients learn where they subscribe again: neither misses anything.
    let new = submit(&mut one).await;
    for session in [&mut one, &mut other] {
        let ended = next(session, "unsubscribe").await;
        assert_eq!(ended["code"], 2500, "{ended}");
        let back = json!({ "recover": true, "epoch": epoch, "offset": 1 });
        let back = subscribe(session, back).await;
        assert_eq!(back["recovered"], true, "{back}");
        assert_ne!(&back["epoch"], epoch, "{back}");
        let missed = back["publications"].as_array().unwrap();
        assert_eq!(missed.len(), 1, "{back}");
        assert_eq!(missed[0]["offset"], 2, "{back}");
        assert_eq!(missed[0]["data"]["job"], new["id"], "{back}");
    }
    let latest = submit(&mut one).await;
    for session in [&mut one, &mut other] {
        let told = next(session, "pub").await;
        assert_eq!(told["data"]["job"], latest["id"], "{told}");
        assert_eq!(told["offset"], 3, "{told}");
    }
    // Another event has that offset now: who saw the lost one must not be taken for one who saw it.
    let mut late = Session::connect(port).await.unwrap();
    let wish = json!({ "recover": true, "epoch": epoch, "offset": 2 });
    let answer = subscribe(&mut late, wish).await;
    assert_eq!(answer["recovered"], json!(null), "{answer}");
    assert_ne!(&answer["epoch"], epoch, "{answer}");
}
