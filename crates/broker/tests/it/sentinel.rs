//! Behind Sentinels: an old primary that wakes up after it was replaced is believed by nobody, although it takes writes
//! for ten seconds and more until it hears that it is a replica.

use std::time::Duration;

use broker::{
    Producer, ProducerConfig, QueueArgs, Redis, RedisArgs,
    testing::{TestRedis, Topology, until},
};
use protocol::{Durability, EventLevel, JobId, JobOptions, QueueName, Topic};
use serde_json::value::RawValue;
use tokio_util::task::TaskTracker;

use crate::{
    follow::Seen,
    rig::{Rig, job},
};

async fn start() -> TestRedis {
    let server = TestRedis::start_as(Topology::Sentinel, &["--appendonly", "yes"]).await;
    until("a replica could take over", async || {
        server.is_settled().await.then_some(())
    })
    .await;
    server
}

fn say(text: &str) -> JobOptions {
    JobOptions {
        topic: Some(Topic::new("lobby").unwrap()),
        events: EventLevel::Outcome,
        announce: Some(RawValue::from_string(text.to_owned()).unwrap()),
        ..JobOptions::default()
    }
}

fn producer(redis: &Redis, durability: Durability) -> Producer {
    Producer::spawn(
        redis.clone(),
        QueueName::new("chat").unwrap(),
        QueueArgs::default(),
        ProducerConfig {
            accept_timeout: Duration::from_secs(60),
            durability,
            ..ProducerConfig::default()
        },
        &TaskTracker::new(),
    )
}

async fn submit(producer: &Producer, text: &str) -> JobId {
    let id = Producer::new_id();
    producer.submit(id, job(text, say(text))).await.unwrap();
    id
}

/// Whether one server has a job.
async fn has(server: &TestRedis, n: usize, id: JobId) -> bool {
    let key = format!("test{{chat}}:job:{id}");
    server.command_at::<bool>(n, &["EXISTS", &key]).await
}

#[tokio::test]
async fn connections_that_slept_with_the_old_primary_are_not_used_again() {
    let rig = Rig::on(start().await, QueueArgs::default());
    let seen = Seen::live(&rig, &"lobby").await;
    // It has a connection of its own, which says nothing meanwhile.
    let durable = producer(&rig.redis, Durability::Replicated);
    submit(&durable, "0").await;
    seen.until(1).await;
    let old = rig.server.owner("test{chat}:").await;
    rig.server.stall_one(old);
    until("this process has heard of another primary", async || {
        rig.redis.ping().await.ok()
    })
    .await;
    rig.server.resume_one(old);
    // Whoever is still with the old one gets an answer: nobody has told it anything.
    let role: Vec<redis::Value> = rig.server.command_at(old, &["ROLE"]).await;
    assert_eq!(role[0], redis::Value::BulkString(b"master".to_vec()));
    let id = submit(&producer(&rig.redis, Durability::Written), "1").await;
    assert!(has(&rig.server, 1 - old, id).await, "the new one has it");
    let lines = seen.until(2).await;
    assert!(lines.contains(&"queued 1".to_owned()), "{lines:?}");
    // The promise holds once the old one is a replica.
    let id = submit(&durable, "2").await;
    assert!(has(&rig.server, 1 - old, id).await, "the new one has it");
}

#[tokio::test]
async fn what_waits_for_a_stalled_primary_goes_to_the_one_in_its_place() {
    let server = start().await;
    let redis = Redis::new(&RedisArgs {
        // The answer alone would be waited for.
        redis_timeout_ms: 600_000,
        ..server.args("test")
    })
    .unwrap();
    let producer = producer(&redis, Durability::Written);
    submit(&producer, "0").await;
    let old = server.owner("test{chat}:").await;
    server.stall_one(old);
    let id = submit(&producer, "1").await;
    assert!(has(&server, 1 - old, id).await, "the new one has it");
}
