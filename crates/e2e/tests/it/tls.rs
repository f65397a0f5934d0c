//! The real processes on a Redis that speaks TLS alone, and what they say where it is not the one that they trust.

use broker::testing::{Authority, TestRedis, Topology, until};
use e2e::{Process, Settings, System};

use crate::traffic::settle;

/// Stands in a URL and must stand nowhere else.
const PASSWORD: &str = "hush-4f1c";

/// Every process has a password, which the users of this Redis have, too.
async fn system(topology: Topology, authority: &Authority) -> System {
    let redis = TestRedis::start_tls(topology, authority).await;
    let rules = ["~*", "&*", "+@all"].map(str::to_owned);
    for user in ["server", "worker", "queue"] {
        redis.add_user(user, PASSWORD, &rules).await;
    }
    let settings = Settings {
        password: Some(PASSWORD),
        ..Settings::default()
    };
    let mut system = System::launch(redis, settings);
    system.ready().await;
    system
}

fn tell_no_secret(processes: &[Process]) {
    for process in processes {
        let log = process.log();
        assert!(!log.contains(PASSWORD), "{log}");
        assert!(!log.contains("PRIVATE KEY"), "{log}");
    }
}

async fn a_message_is_answered(topology: Topology) {
    let authority = Authority::new();
    let system = system(topology, &authority).await;
    let mut client = system.client(0).await;
    assert!(client.send("hello").await);
    settle(&[&client], 1).await;
    for processes in [&system.servers, &system.workers, &system.managers] {
        tell_no_secret(processes);
    }
}

#[tokio::test]
async fn a_message_is_answered_over_tls() {
    a_message_is_answered(Topology::One).await;
}

#[tokio::test]
async fn a_message_is_answered_over_tls_on_a_cluster() {
    let topology = Topology::Cluster {
        primaries: 3,
        replicas: 0,
        node_timeout_ms: 5_000,
    };
    a_message_is_answered(topology).await;
}

#[tokio::test]
async fn a_redis_that_another_authority_vouches_for_is_refused_and_named() {
    let authority = Authority::new();
    let redis = TestRedis::start_tls(Topology::One, &authority).await;
    let stranger = Authority::new();
    let mut flags = redis.flags(Some(("default", PASSWORD)));
    let place = flags.iter().position(|flag| flag == "--redis-ca").unwrap();
    flags[place + 1] = stranger.file().display().to_string();
    let logs = tempfile::tempdir().unwrap();
    let mut processes = Vec::new();
    for (binary, option) in [
        ("server", "--listen"),
        ("queue", "--listen"),
        ("worker", "--health-listen"),
    ] {
        let process = Process::start(binary, binary, logs.path(), option, &flags);
        processes.push(process);
    }
    for process in &mut processes {
        until("the process says why", async || {
            let log = process.log();
            log.contains("invalid peer certificate: UnknownIssuer")
                .then_some(())
        })
        .await;
        // It waits for one that it can trust.
        process.until_ready(503).await;
        let (_, said) = process.get("/readyz").await.unwrap();
        assert!(!said.contains(PASSWORD), "{said}");
    }
    tell_no_secret(&processes);
}
