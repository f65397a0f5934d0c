//! A Cluster: everything works across its shards, through the loss of a primary and while slots move.

use std::time::Duration;

use broker::{
    Envelope, Feed, Feeds, FollowState, Inspector, Listener, Maintenance, Position, Preflight,
    Producer, ProducerConfig, QueueArgs, Redis, follow,
    testing::{TestRedis, Topology, until},
};
use protocol::{Channel, Durability, Job, JobOptions, JobState, Kind, QueueName, Topic};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    follow::Seen,
    rig::{Rig, Setup},
};

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

/// How many feeds had begun when it was said that all are followed.
struct Begun {
    feeds: usize,
    live: mpsc::Sender<usize>,
}

impl Listener for Begun {
    fn begins(&mut self, _feed: &Feed, _at: &Position) {
        self.feeds += 1;
    }

    fn events(&mut self, _feed: &Feed, _events: &[Envelope<'_>]) {}

    fn moved(&mut self, _feed: &Feed, _to: &Position, _lost: bool) {}

    fn state(&mut self, state: FollowState) {
        if state == FollowState::Live {
            self.live.try_send(self.feeds).unwrap();
        }
    }
}

#[tokio::test]
async fn feeds_of_all_shards_are_followed_before_that_is_said() {
    let server = start().await;
    let tracker = TaskTracker::new();
    let stop = CancellationToken::new();
    let feeds = Feeds::default();
    for queue in queues() {
        let channel = Channel {
            queue: QueueName::new(&queue).unwrap(),
            topic: Topic::new("lobby").unwrap(),
        };
        feeds.follow(&Feed::topic("test", &channel));
    }
    let (live, mut told) = mpsc::channel(100);
    let begun = Begun { feeds: 0, live };
    tracker.spawn(feeds.run(server.connect("test"), begun, stop.clone()));
    assert_eq!(told.recv().await, Some(queues().len()));
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
                    durability: Durability::Replicated,
                    ..ProducerConfig::default()
                },
                &tracker,
            );
            let id = Producer::new_id();
            producer.submit(id, job()).await.unwrap();
            ids.push((QueueName::new(&queue).unwrap(), id));
        }
        if round == 0 {
            server.kill_one(0);
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

#[tokio::test]
async fn a_slot_that_moves_takes_its_queue_along() {
    let rig = Rig::on(start().await, QueueArgs::default());
    let options = JobOptions {
        topic: Some(Topic::new("lobby").unwrap()),
        ..JobOptions::default()
    };
    let seen = Seen::live(&rig, &"lobby").await;
    let worker = rig.worker("w", Setup::default(), |_, job| async move {
        Ok(job.payload.get().to_owned())
    });
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(rig.submit(&n.to_string(), options.clone()).await);
    }
    let moving = rig.server.begin_move("test{chat}:").await;
    // Half of its keys are there and half are here: nothing may be done now.
    assert!(rig.server.move_keys(&moving, 10).await > 0);
    let (redis, queue) = (rig.redis.clone(), rig.queue.clone());
    let swept = Maintenance::new(redis, rig.args.clone()).run(&queue).await;
    assert!(swept.is_err_and(|error| error.is_temporary()));
    let waits = rig.submit("20", options.clone());
    let (id, ()) = tokio::join!(waits, rig.server.end_move(moving));
    ids.push(id);
    for n in 21..40 {
        ids.push(rig.submit(&n.to_string(), options.clone()).await);
    }
    for id in ids {
        let record = rig.until_state(id, JobState::Completed).await;
        assert_eq!(record.attempt, 1);
    }
    let lines = seen.until(3 * 40).await;
    assert_eq!(lines.iter().filter(|line| *line == "gap").count(), 0);
    for event in ["queued", "started", "completed"] {
        let told = lines.iter().filter(|line| line.starts_with(event)).count();
        assert_eq!(told, 40, "{event}");
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_follower_goes_on_where_a_replica_took_over() {
    let mut rig = Rig::on(start().await, QueueArgs::default());
    let options = JobOptions {
        topic: Some(Topic::new("lobby").unwrap()),
        ..JobOptions::default()
    };
    let worker = rig.worker("w", Setup::default(), |_, job| async move {
        Ok(job.payload.get().to_owned())
    });
    let seen = Seen::live(&rig, &"lobby").await;
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(rig.submit(&n.to_string(), options.clone()).await);
    }
    for id in &ids {
        rig.until_state(*id, JobState::Completed).await;
    }
    seen.until(30).await;
    // What is asynchronous has come to the replica by now, or it counts as lost; both may be.
    let owner = rig.server.owner("test{chat}:").await;
    rig.server.kill_one(owner);
    rig.server.replaced(owner).await;
    let id = rig.submit("10", options.clone()).await;
    rig.until_state(id, JobState::Completed).await;
    let told = until("the end of the latest job is told", async || {
        let lines = seen.lines.lock().unwrap();
        let ends = lines.iter().filter(|line| line.starts_with("completed"));
        (ends.count() >= 11).then(|| lines.clone())
    })
    .await;
    assert!(told.last().unwrap().starts_with("completed"), "{told:?}");
    worker.stop().await;
}

#[tokio::test]
async fn other_shards_go_on_while_one_is_away() {
    let mut server = start().await;
    let redis = server.connect("test");
    let tracker = TaskTracker::new();
    let gone = server.owner("test{queue-0}:").await;
    // Its replica too: nobody takes over.
    server.kill_one(gone + 3);
    server.kill_one(gone);
    let mut others = 0;
    for queue in queues() {
        if server.would_own(&format!("test{{{queue}}}:")) == gone {
            continue;
        }
        others += 1;
        let producer = producer(&redis, &queue, &tracker);
        producer.submit(Producer::new_id(), job()).await.unwrap();
    }
    assert!(others > 3);
    redis.ping().await.unwrap();
}

#[tokio::test]
async fn a_cluster_is_called_one_and_one_server_is_not() {
    let cluster = start().await;
    let mut args = cluster.args("test");
    args.redis_url = format!("redis://127.0.0.1:{}/", cluster.port(0));
    let alone = Redis::new(&args).unwrap();
    let error = Preflight::check(&alone, Durability::Written, 1).await;
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("`redis-cluster://`")
    );

    let one = TestRedis::start_as(Topology::One, &[]).await;
    let mut args = one.args("test");
    args.redis_url = format!("redis-cluster://127.0.0.1:{}", one.port(0));
    let error = Redis::new(&args).unwrap().ping().await.unwrap_err();
    assert!(!error.is_temporary(), "{error}");
    assert!(
        error.to_string().contains("no node of a Cluster"),
        "{error}"
    );
}
