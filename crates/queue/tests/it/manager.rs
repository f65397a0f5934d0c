//! Rounds of maintenance, one by one.

use std::time::Duration;

use broker::{
    Error, QueueArgs, Swept,
    testing::{PATIENCE, TestRedis, Topology},
};
use prometheus_client::registry::Registry;
use protocol::{JobOptions, JobState};
use queue::{Metrics, Upkeep};
use service::Readiness;

use crate::rig::{Rig, Worker, name};

/// Upkeep with the metrics that it fills.
fn upkeep(rig: &Rig, keep: QueueArgs) -> (Upkeep, Registry, Readiness) {
    let readiness = Readiness::new();
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let upkeep = Upkeep::new(rig.redis.clone(), keep, metrics, readiness.check("redis"));
    (upkeep, registry, readiness)
}

/// Runs rounds, one right after the other, until one went as it should.
async fn rounds_until(upkeep: &mut Upkeep, is_right: impl Fn(Result<Swept, Error>) -> bool) {
    let rounds = async {
        while !is_right(upkeep.run_once().await) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, rounds)
        .await
        .expect("a round goes as it should");
}

fn metrics(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    text
}

#[tokio::test]
async fn a_delayed_job_is_promoted_when_it_is_due() {
    let rig = Rig::start("promote").await;
    let later = JobOptions {
        delay_ms: 50,
        ..JobOptions::default()
    };
    let id = rig.submit("chat", "done", "1", later).await;
    let (mut upkeep, registry, readiness) = upkeep(&rig, QueueArgs::default());
    rounds_until(&mut upkeep, |swept| {
        swept.is_ok_and(|swept| swept.promoted == 1)
    })
    .await;
    rig.until_state("chat", id, "waiting").await;
    assert!(readiness.is_ready());
    let shown = metrics(&registry);
    assert!(
        shown.contains("queue_maintenance_promoted_total 1\n"),
        "{shown}"
    );
    for line in [
        "redis_up 1",
        r#"queue_oldest_waiting_age_seconds{queue="chat"} "#,
        r#"queue_workers{queue="chat"} 0"#,
        r#"queue_paused{queue="chat"} 0"#,
        "redis_memory_used_bytes ",
        "redis_persistence_failing 0",
    ] {
        assert!(shown.contains(&format!("\n{line}")), "{line}\n{shown}");
    }
    assert!(
        !shown.contains("queue_maintenance_last_success_timestamp_seconds 0.0\n"),
        "{shown}"
    );
    assert!(
        shown.contains(r#"queue_jobs{queue="chat",state="delayed"} "#),
        "{shown}"
    );
}

#[tokio::test]
async fn the_job_of_a_dead_worker_waits_again() {
    let rig = Rig::start("expire").await;
    let worker = Worker::start(&rig, "chat", Duration::from_millis(500));
    let id = rig.submit("chat", "hang", "1", JobOptions::default()).await;
    rig.until_state("chat", id, "active").await;
    let (mut upkeep, registry, _) = upkeep(&rig, QueueArgs::default());
    assert_eq!(upkeep.run_once().await.unwrap().lost, 0, "the worker lives");
    worker.kill();
    rounds_until(&mut upkeep, |swept| {
        swept.is_ok_and(|swept| swept.lost == 1)
    })
    .await;
    let record = rig.inspector.get(&name("chat"), id).await.unwrap().unwrap();
    assert_eq!((record.state.as_str(), record.attempt), ("waiting", 1));
    assert_eq!(record.error.unwrap().code.as_str(), "lease_lost");
    assert!(metrics(&registry).contains("queue_maintenance_lost_total 1\n"));
}

#[tokio::test]
async fn what_is_over_the_limit_is_forgotten() {
    let rig = Rig::start("prune").await;
    let worker = Worker::start(&rig, "chat", Duration::from_secs(10));
    let id = rig.submit("chat", "done", "1", JobOptions::default()).await;
    rig.until_state("chat", id, "completed").await;
    worker.kill();
    let (mut upkeep, _, _) = upkeep(
        &rig,
        QueueArgs {
            keep_jobs: 0,
            ..QueueArgs::default()
        },
    );
    assert_eq!(upkeep.run_once().await.unwrap().pruned, 1);
    assert!(
        rig.inspector
            .get(&name("chat"), id)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(upkeep.run_once().await.unwrap().pruned, 0);
}

#[tokio::test]
async fn a_damaged_queue_does_not_hold_up_the_others() {
    let rig = Rig::start("damaged").await;
    for words in [
        &["SADD", "damaged:queues", "bad"][..],
        &["SET", "damaged{bad}:delayed", "x"],
    ] {
        rig.server.command::<String>(words).await;
    }
    let later = JobOptions {
        delay_ms: 1,
        ..JobOptions::default()
    };
    rig.submit("chat", "done", "1", later).await;
    let (mut upkeep, registry, readiness) = upkeep(&rig, QueueArgs::default());
    rounds_until(&mut upkeep, |swept| {
        swept.is_ok_and(|swept| swept.promoted == 1)
    })
    .await;
    assert!(readiness.is_ready());
    let shown = metrics(&registry);
    assert!(
        shown.contains(r#"queue="chat""#) && !shown.contains(r#"queue="bad""#),
        "{shown}"
    );
}

#[tokio::test]
async fn queues_that_vanish_are_not_shown_any_more() {
    let mut rig = Rig::start("vanish").await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    let (mut upkeep, registry, readiness) = upkeep(&rig, QueueArgs::default());
    upkeep.run_once().await.unwrap();
    assert!(metrics(&registry).contains(r#"queue_jobs{queue="chat",state="waiting"} 1"#));
    rig.server.kill();
    upkeep.run_once().await.unwrap_err();
    assert!(!readiness.is_ready());
    let shown = metrics(&registry);
    assert!(
        !shown.contains("chat") && shown.contains("redis_up 0\n"),
        "{shown}"
    );
    // It comes back empty.
    rig.server.run().await;
    rounds_until(&mut upkeep, |swept| swept.is_ok()).await;
    assert!(readiness.is_ready());
    assert!(!metrics(&registry).contains("chat"));
}

#[tokio::test]
async fn queues_of_other_shards_are_maintained_while_one_is_away() {
    let topology = Topology::Cluster {
        primaries: 2,
        replicas: 0,
        node_timeout_ms: 5_000,
    };
    let server = TestRedis::start_as(topology, &["--appendonly", "no"]).await;
    let mut rig = Rig::over(server, "shards");
    let on = |rig: &Rig, first: char, shard| {
        let mut names = (0..100).map(|n| format!("{first}{n}"));
        let name = names.find(|name| rig.server.would_own(&format!("{{{name}}}")) == shard);
        name.expect("a name for the shard")
    };
    // The one that will be away comes first.
    let (lost, kept) = (on(&rig, 'a', 0), on(&rig, 'b', 1));
    let later = JobOptions {
        delay_ms: 500,
        ..JobOptions::default()
    };
    rig.submit(&lost, "done", "1", later.clone()).await;
    let id = rig.submit(&kept, "done", "1", later).await;
    let (mut upkeep, _registry, readiness) = upkeep(&rig, QueueArgs::default());
    upkeep.run_once().await.unwrap();
    rig.server.kill_one(0);
    rounds_until(&mut upkeep, |swept| swept.is_err()).await;
    assert!(!readiness.is_ready());
    let promoted = async {
        loop {
            assert!(upkeep.run_once().await.is_err());
            let job = rig.inspector.get(&name(&kept), id).await.unwrap().unwrap();
            if job.state == JobState::Waiting {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, promoted)
        .await
        .expect("what is due in the other queue is promoted");
}
