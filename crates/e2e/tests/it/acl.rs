//! Each binary as a user of Redis that may do what `docs/redis.md` says, and nothing else.

use std::path::Path;

use broker::{
    Inspector, Redis,
    testing::{PATIENCE, TestRedis, Topology},
};
use e2e::{Session, Settings, System, command};
use serde_json::{Value, json};

use crate::traffic::settle;

const PASSWORD: &str = "hush-4f1c";
const KEY: &str = "key-of-backends";
const BINARIES: [&str; 3] = ["server", "worker", "queue"];

/// What the table of the document says of these lines.
fn rules(lines: &[&str]) -> Vec<String> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/redis.md");
    let document = std::fs::read_to_string(document).unwrap();
    let mut rules = Vec::new();
    for line in document.lines() {
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { continue };
        let mut words = words.peekable();
        let is_rule = words
            .peek()
            .is_some_and(|word| word.starts_with('+') || *word == "-@all");
        if is_rule && lines.contains(&first) {
            rules.extend(words.map(str::to_owned));
        }
    }
    rules
}

async fn introduce(redis: &TestRedis, of: &[&str]) {
    for user in BINARIES {
        let lines = [&["all", user], of].concat();
        let rules = rules(&lines);
        assert!(rules.len() > 40, "{user} may do little: {rules:?}");
        redis.add_user(user, PASSWORD, &rules).await;
    }
}

fn namespaces(folder: &Path) -> String {
    let path = folder.join("namespaces.json");
    let room = json!({
        "name": "room", "history_size": 10, "history_ttl_secs": 60, "presence": true, "join_leave": true,
        "force_recovery": true, "allow_subscribe_for_client": true, "allow_publish_for_subscriber": true,
        "allow_presence_for_subscriber": true, "allow_history_for_subscriber": true,
    });
    std::fs::write(&path, json!({ "namespaces": [room] }).to_string()).unwrap();
    path.display().to_string()
}

fn schedules(folder: &Path) -> String {
    let path = folder.join("schedules.toml");
    let text = "[[schedules]]\nname = \"beat\"\nqueue = \"chat\"\nwhen = { every_ms = 1000 }\n\
        job = { kind = \"demo\", payload = { steps = 1 } }\n";
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

async fn start(topology: Topology, of: &[&str], durability: &str) -> System {
    let options = ["--appendonly", "yes", "--appendfsync", "always"];
    let redis = TestRedis::start_as(topology, &options).await;
    introduce(&redis, of).await;
    let folder = tempfile::tempdir().unwrap();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let namespaces = namespaces(folder.path());
    let mut system = System::launch(
        redis,
        Settings {
            password: Some(PASSWORD),
            server: words(&[
                "--namespaces-file",
                &namespaces,
                "--api-key",
                KEY,
                "--insecure",
                "--durability",
                durability,
            ]),
            manager: words(&["--schedules", &schedules(folder.path())]),
            ..Settings::default()
        },
    );
    system.ready().await;
    system
}

/// Waits for an event of a job that the session follows.
async fn until_told(session: &mut Session, job: &Value, what: &str) {
    assert!(job["error"].is_null(), "{job}");
    let told = async {
        loop {
            let push = session.push().await.expect("the session goes on");
            if push["channel"] == job["channel"] && push["pub"]["data"]["type"] == what {
                return;
            }
        }
    };
    let told = tokio::time::timeout(PATIENCE, told).await;
    assert!(told.is_ok(), "{job} is not {what}");
}

/// What clients and backends ask of a server.
async fn use_server(system: &System) {
    let mut client = system.client(0).await;
    assert!(client.send("hello").await);
    settle(&[&client], 1).await;

    let port = system.servers[0].port();
    let mut session = Session::connect(port).await.unwrap();
    let submit = |steps: u32| {
        json!({ "queue": "chat", "kind": "demo", "payload": { "steps": steps }, "subscribe": true,
                "options": { "key": format!("of-{steps}") } })
    };
    let long = session.rpc("job.submit", submit(500)).await.unwrap();
    let of_long = json!({ "queue": "chat", "id": long["id"] });
    // Until it runs.
    until_told(&mut session, &long, "started").await;
    assert_eq!(
        session.rpc("job.get", of_long.clone()).await.unwrap()["state"],
        "active"
    );
    session.rpc("job.cancel", of_long.clone()).await.unwrap();
    until_told(&mut session, &long, "cancelled").await;
    let again = session.rpc("job.retry", of_long.clone()).await.unwrap();
    assert_eq!(again["outcome"], "done", "{again}");
    session.rpc("job.cancel", of_long).await.unwrap();

    let short = session.rpc("job.submit", submit(2)).await.unwrap();
    let channel = short["channel"].as_str().unwrap().to_owned();
    until_told(&mut session, &short, "completed").await;
    let twice = session.rpc("job.submit", submit(2)).await.unwrap();
    assert_eq!(twice["duplicate"], true, "{twice}");
    let since =
        json!({ "channel": channel, "recover": true, "epoch": short["epoch"], "offset": 0 });
    session.ask("subscribe", since).await.unwrap();

    let room = json!({ "channel": "room:one" });
    session.ask("subscribe", room.clone()).await.unwrap();
    let said = json!({ "channel": "room:one", "data": { "say": 1 } });
    session.ask("publish", said).await.unwrap();
    for question in ["presence", "presence_stats"] {
        let answer = session.ask(question, room.clone()).await.unwrap();
        assert!(answer["error"].is_null(), "{question}: {answer}");
    }
    let past = json!({ "channel": "room:one", "limit": 10 });
    let past = session.ask("history", past).await.unwrap();
    assert_eq!(
        past["publications"].as_array().map(Vec::len),
        Some(1),
        "{past}"
    );

    for (method, body) in [
        (
            "publish",
            json!({ "channel": "room:one", "data": 2, "idempotency_key": "k" }),
        ),
        ("presence", room.clone()),
        ("history", json!({ "channel": "room:one", "limit": 10 })),
        ("history_remove", room.clone()),
        ("info", json!({})),
        ("disconnect", json!({ "user": "nobody" })),
    ] {
        let path = format!("/api/{method}");
        let (code, said) = system.servers[0]
            .post(&path, KEY, &body.to_string())
            .await
            .unwrap();
        assert!(
            code == 200 && said.contains("\"result\""),
            "{method}: {code} {said}"
        );
    }
    let job = format!("/v1/queues/chat/jobs/{}", short["id"].as_str().unwrap());
    for path in [
        "/v1/queues/chat/jobs?state=completed",
        &job,
        &format!("{job}/events"),
    ] {
        let (code, said) = system.servers[0].get(path).await.unwrap();
        assert_eq!(code, 200, "{path}: {said}");
    }
    session.ask("unsubscribe", room).await.unwrap();
}

/// What operators ask of a manager, and at the command line.
async fn use_queue(system: &System) {
    for path in [
        "queues",
        "queues/chat",
        "queues/chat/history",
        "queues/chat/jobs?state=completed",
        "queues/chat/errors",
        "queues/chat/tenants",
        "queues/chat/schedules",
        "workers",
        "redis",
    ] {
        let (code, said) = system.managers[0]
            .get(&format!("/api/v1/{path}"))
            .await
            .unwrap();
        assert_eq!(code, 200, "{path}: {said}");
    }
    let mut wrong = Vec::new();
    for line in [
        "stats --since 1h",
        "jobs --state completed",
        "errors",
        "workers",
        "tenants chat",
        "limits chat --max-active 50",
        "pause chat",
        "resume chat",
        "schedules",
        "schedules set later --every 1h demo {}",
        "schedules next later",
        "schedules pause later",
        "schedules resume later",
        "schedules run later",
        "schedules show later",
        "schedules remove later",
        "partitions chat",
        "partitions chat 3",
        "enqueue demo {\"steps\":1} --wait 30",
        "enqueue nobody-knows null",
        "retry --queue chat --kind nobody-knows",
        "priority high --queue chat --all",
        "cancel --queue chat --state waiting,active --all",
        "delete --queue chat --state completed --all",
        "drain chat --delayed",
    ] {
        let mut command = command("queue");
        // Not over the harness' own thread, which serves the clients meanwhile.
        command
            .args(line.split(' '))
            .args(system.redis.flags(Some(("queue", PASSWORD))));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            wrong.push(format!("queue {line}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn nothing_is_refused(topology: Topology, of: &[&str], durability: &str) {
    let mut system = start(topology, of, durability).await;
    use_server(&system).await;
    use_queue(&system).await;
    for process in [
        &mut system.servers,
        &mut system.workers,
        &mut system.managers,
    ] {
        process[0].terminate().await;
    }
    let refused = system.redis.refused().await;
    assert!(
        refused.is_empty(),
        "docs/redis.md does not have: {refused:#?}"
    );
}

#[tokio::test]
async fn each_binary_may_do_what_it_does_on_one_server() {
    nothing_is_refused(Topology::One, &[], "fsynced").await;
}

#[tokio::test]
async fn each_binary_may_do_what_it_does_behind_sentinels() {
    nothing_is_refused(Topology::Sentinel, &["sentinel"], "replicated").await;
}

#[tokio::test]
async fn each_binary_may_do_what_it_does_on_a_cluster() {
    let topology = Topology::Cluster {
        primaries: 3,
        replicas: 1,
        node_timeout_ms: 5_000,
    };
    nothing_is_refused(topology, &["cluster"], "replicated").await;
}

#[tokio::test]
async fn a_user_may_not_touch_what_is_another_s() {
    let redis = TestRedis::start_as(Topology::One, &[]).await;
    introduce(&redis, &[]).await;
    let mut args = redis.args("other");
    args.redis_url = redis.flags(Some(("server", PASSWORD)))[1].clone();
    let other = Inspector::new(Redis::new(&args).unwrap());
    other.queues().await.unwrap_err();
    let refused = redis.refused().await;
    assert_eq!(refused, ["server key other:queues toplevel"]);
    for user in BINARIES {
        for words in [
            &["GET", "other{chat}:job:1"][..],
            &["PUBLISH", "other{chat}:ch:lobby", "x"],
            &["FLUSHALL"],
            &["KEYS", "*"],
            &["CONFIG", "SET", "dir", "/"],
            &["ACL", "LIST"],
        ] {
            let dry = [&["ACL", "DRYRUN", user], words].concat();
            let said: String = redis.command_at(0, &dry).await;
            assert!(said.contains("no permissions"), "{user} {words:?}: {said}");
        }
    }
}

#[test]
fn all_may_do_what_scripts_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../broker/src/lua");
    let allowed = rules(&["all"]);
    let mut seen = 0;
    let mut paths = vec![folder];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|one| one.unwrap().path()),
            );
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for (at, call) in text.match_indices("call('") {
            let words: Vec<_> = text[at + call.len()..].split('\'').take(3).collect();
            let rule = match words[..] {
                // What is allowed is one of its commands.
                ["PUBSUB", _, which] => format!("+pubsub|{}", which.to_lowercase()),
                [name, ..] => format!("+{}", name.to_lowercase()),
                [] => unreachable!("a split has a part"),
            };
            assert!(
                allowed.contains(&rule),
                "docs/redis.md lacks {rule} of {}",
                path.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 100, "only {seen} calls were found");
}
