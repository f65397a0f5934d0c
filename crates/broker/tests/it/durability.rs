//! What is promised of an accepted job, and what this Redis can't promise.

use broker::{
    Preflight, Producer, ProducerConfig, QueueArgs, SubmitError, Warning,
    testing::{TestRedis, Topology, until},
};
use protocol::{Durability, JobOptions, QueueName};
use tokio_util::task::TaskTracker;

use crate::rig::job;

fn producer(server: &TestRedis, durability: Durability, replicas: u32) -> Producer {
    Producer::spawn(
        server.connect("test"),
        QueueName::new("chat").unwrap(),
        QueueArgs::default(),
        ProducerConfig {
            durability,
            replicas,
            accept_timeout: std::time::Duration::from_secs(3),
            ..ProducerConfig::default()
        },
        &TaskTracker::new(),
    )
}

async fn submit(producer: &Producer) -> Result<Durability, SubmitError> {
    let id = Producer::new_id();
    let receipt = producer.submit(id, job("1", JobOptions::default())).await?;
    Ok(receipt.durability)
}

/// Whether the Redis under test has `WAITAOF`.
async fn has_waitaof(server: &TestRedis) -> bool {
    let question = ["COMMAND", "LIST", "FILTERBY", "PATTERN", "waitaof"];
    !server.command::<Vec<String>>(&question).await.is_empty()
}

#[tokio::test]
async fn fsynced_is_reached_where_every_write_is_on_disk_before_its_answer() {
    let server = TestRedis::durable().await;
    let producer = producer(&server, Durability::Fsynced, 1);
    assert_eq!(submit(&producer).await, Ok(Durability::Fsynced));
}

#[tokio::test]
async fn fsynced_is_reached_by_waiting_or_refused_clearly() {
    let server = TestRedis::start_with(&["--appendonly", "yes", "--appendfsync", "everysec"]).await;
    let redis = server.connect("test");
    let checked = Preflight::check(&redis, Durability::Fsynced, 1).await;
    let submitted = submit(&producer(&server, Durability::Fsynced, 1)).await;
    if has_waitaof(&server).await {
        assert!(checked.unwrap().warnings.is_empty());
        assert_eq!(submitted, Ok(Durability::Fsynced));
    } else {
        let error = checked.unwrap_err().to_string();
        assert!(
            error.contains("WAITAOF") && error.contains("appendfsync always"),
            "{error}"
        );
        assert_eq!(submitted, Err(SubmitError::Refused));
    }
}

#[tokio::test]
async fn fsynced_is_refused_where_nothing_is_written_to_disk() {
    let server = TestRedis::start().await;
    let redis = server.connect("test");
    let error = Preflight::check(&redis, Durability::Fsynced, 1).await;
    assert!(error.unwrap_err().to_string().contains("appendonly yes"));
    let submitted = submit(&producer(&server, Durability::Fsynced, 1)).await;
    assert_eq!(submitted, Err(SubmitError::Refused));
}

#[tokio::test]
async fn replicated_is_reached_when_the_replica_has_it() {
    // A primary of which there is no replica yet.
    let primary = TestRedis::start_as(Topology::One, &[]).await;
    let of = primary.url();
    let port = of
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned();
    // Nobody replicates yet: not confirmed, and stored all the same.
    let producer = producer(&primary, Durability::Replicated, 1);
    assert_eq!(submit(&producer).await, Err(SubmitError::Unconfirmed));
    let options = ["--replicaof", &format!("127.0.0.1 {port}")];
    let replica = TestRedis::start_as(Topology::One, &options).await;
    until("the replica is in step", async || {
        let info: String = replica.command(&["INFO", "replication"]).await;
        info.contains("master_link_status:up").then_some(())
    })
    .await;
    assert_eq!(submit(&producer).await, Ok(Durability::Replicated));
    let waiting: i64 = replica
        .command(&["ZCARD", "test{chat}:wait:1:public"])
        .await;
    assert_eq!(waiting, 2);
}

#[tokio::test]
async fn an_unsafe_redis_is_warned_of() {
    let server =
        TestRedis::start_with(&["--appendonly", "no", "--maxmemory-policy", "allkeys-lru"]).await;
    let redis = server.connect("test");
    let found = Preflight::check(&redis, Durability::Written, 1).await;
    assert_eq!(
        found.unwrap().warnings,
        [
            Warning::NoAppendOnlyFile,
            Warning::Eviction("allkeys-lru".to_owned())
        ]
    );
    let server = TestRedis::durable().await;
    let redis = server.connect("test");
    let found = Preflight::check(&redis, Durability::Written, 1).await;
    assert!(found.unwrap().warnings.is_empty());
}
