//! A Cluster: everything works across its shards, through the loss of a primary and while slots move.

use std::time::Duration;

use broker::{
    FollowState, Inspector, Producer, ProducerConfig, QueueArgs, Redis, follow,
    testing::{TestRedis, Topology, until},
};
use protocol::{Channel, Job, JobOptions, JobState, Kind, QueueName, Topic};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const CLUSTER: Topology = Topology::Cluster {
    primaries: 3,
    replicas: 1,
    node_timeout_ms: 1_000,
};

async fn start() -> TestRedis {
    TestRedis::start_as(CLUSTER, &["--appendonly", "no"]).await
}

fn producer(redis: &Redis, queue: &str, tracker: &TaskTracker) -> Producer {
    Producer::spawn(
        redis.clone(),
        QueueName::new(queue).unwrap(),
        QueueArgs::default(),
        ProducerConfig {
            accept_timeout: Duration::from_secs(30),
            ..ProducerConfig::default()
        },
        tracker,
    )
}

fn job() -> Job {
    Job {
        kind: Kind::new("echo").unwrap(),
        payload: RawValue::from_string("1".to_owned()).unwrap(),
        options: JobOptions {
            topic: Some(Topic::new("lobby").unwrap()),
            ..JobOptions::default()
        },
    }
}

/// Nine names, whose slots are all over the place.
fn queues() -> Vec<String> {
    (0..9).map(|n| format!("queue-{n}")).collect()
}

#[tokio::test]
async fn queues_lie_on_all_shards_and_are_followed_there() {
    let server = start().await;
    let redis = server.connect("test");
    let tracker = TaskTracker::new();
    let stop = CancellationToken::new();
    let (sender, mut events) = mpsc::channel(1_000);
    let (live, mut alive) = mpsc::channel(100);
    for queue in queues() {
        let channel = Channel {
            queue: QueueName::new(&queue).unwrap(),
            topic: Topic::new("lobby").unwrap(),
        };
        let (sender, live) = (sender.clone(), live.clone());
        tracker.spawn(follow(
            redis.clone(),
            channel,
            move |state| {
                if state == FollowState::Live {
                    live.try_send(()).unwrap();
                }
            },
            move |_| sender.try_send(queue.clone()).unwrap(),
            stop.clone(),
        ));
    }
    for _ in queues() {
        alive.recv().await.unwrap();
    }
    for queue in queues() {
        let producer = producer(&redis, &queue, &tracker);
        producer.submit(Producer::new_id(), job()).await.unwrap();
    }
    let mut heard = Vec::new();
    for _ in queues() {
        heard.push(events.recv().await.unwrap());
    }
    heard.sort();
    assert_eq!(heard, queues());
    let inspector = Inspector::new(redis.clone());
    assert_eq!(inspector.queues().await.unwrap().len(), 9);
    for n in 0..3 {
        let keys: i64 = server.command_at(n, &["DBSIZE"]).await;
        assert!(keys > 0, "shard {n} has nothing");
    }
    stop.cancel();
}

#[tokio::test]
async fn a_lost_primary_is_replaced_and_nothing_replicated_is_lost() {
    let mut server = start().await;
    let redis = server.connect("test");
    let tracker = TaskTracker::new();
    let inspector = Inspector::new(redis.clone());
    let mut ids = Vec::new();
    for round in 0..2 {
        for queue in queues() {
            let producer = Producer::spawn(
                redis.clone(),
                QueueName::new(&queue).unwrap(),
                QueueArgs::default(),
                ProducerConfig {
                    accept_timeout: Duration::from_secs(30),
                    durability: protocol::Durability::Replicated,
                    ..ProducerConfig::default()
                },
                &tracker,
            );
            let id = Producer::new_id();
            producer.submit(id, job()).await.unwrap();
            ids.push((QueueName::new(&queue).unwrap(), id));
        }
        if round == 0 {
            assert!(server.kill_one(0).await, "the first is a primary");
            // Were it started before its replica has taken over, it would begin with nothing, and its replica with it.
            server.replaced(0).await;
            server.start_one(0);
            server.settled().await;
        }
    }
    for (queue, id) in ids {
        let record = until("the job is read", async || {
            inspector.get(&queue, id).await.ok()?
        })
        .await;
        assert_eq!(record.state, JobState::Waiting);
    }
}
