//! Handing in to a queue that is split, and split otherwise meanwhile.

use std::collections::{BTreeMap, HashSet};

use broker::{
    Placement, Producer, ProducerConfig, QueueArgs, Redis, SubmitError, partition_name,
    testing::{TestRedis, until},
};
use futures_util::future::join_all;
use protocol::{IdempotencyKey, JobId, JobOptions, QueueName, Topic};
use tokio_util::task::TaskTracker;

use crate::rig::{Rig, job};

/// Splits the queue as an operator does; processes learn of it when they are refused.
async fn split(rig: &Rig, placement: &str) {
    let set = ["HSET", "test{chat}:count", "placement", placement];
    let _: u64 = rig.server.command(&set).await;
}

fn on(topic: &str) -> JobOptions {
    JobOptions {
        topic: Some(Topic::new(topic).unwrap()),
        ..JobOptions::default()
    }
}

/// Another process' producer.
fn other(server: &TestRedis) -> (Redis, Producer) {
    let redis = server.connect("test");
    let queue = QueueName::new("chat").unwrap();
    let config = ProducerConfig::default();
    let tracker = TaskTracker::new();
    let args = QueueArgs::default();
    let producer = Producer::spawn(redis.clone(), queue, args, config, &tracker);
    (redis, producer)
}

async fn submit(producer: &Producer, payload: usize, options: JobOptions) -> JobId {
    let id = Producer::new_id();
    let job = job(&payload.to_string(), options);
    assert!(!producer.submit(id, job).await.unwrap().duplicate);
    id
}

/// In which partitions a key is, given by its end.
async fn places(rig: &Rig, suffix: &str) -> Vec<usize> {
    let mut places = Vec::new();
    for index in 0..8 {
        let queue = partition_name(&rig.queue, index).unwrap();
        let key = format!("test{{{queue}}}:{suffix}");
        let there: bool = rig.server.command(&["EXISTS", &key]).await;
        if there {
            places.push(usize::from(index));
        }
    }
    places
}

/// The numbers that the jobs of a topic carry, in the order of their queued events, and its partition.
async fn told(rig: &Rig, topic: &str) -> Vec<String> {
    let places = places(rig, &format!("log:{topic}")).await;
    assert_eq!(places.len(), 1, "{topic} is in {places:?}");
    let queue = partition_name(&rig.queue, u16::try_from(places[0]).unwrap()).unwrap();
    let key = format!("test{{{queue}}}:log:{topic}");
    rig.server.command(&["LRANGE", &key, "0", "-1"]).await
}

#[tokio::test]
async fn jobs_go_to_all_partitions() {
    let rig = Rig::new().await;
    split(&rig, "1 3").await;
    let ids = join_all((0..300).map(|n| submit(&rig.producer, n, JobOptions::default()))).await;
    let mut met = BTreeMap::<usize, usize>::new();
    for id in ids {
        let places = places(&rig, &format!("job:{id}")).await;
        assert_eq!(places.len(), 1);
        *met.entry(places[0]).or_default() += 1;
    }
    assert!(
        met.len() == 3 && met.values().all(|many| *many > 50),
        "{met:?}"
    );
}

#[tokio::test]
async fn a_topic_stays_where_its_log_is() {
    let rig = Rig::new().await;
    let old: Vec<_> = (0..20).map(|n| format!("old-{n}")).collect();
    for topic in &old {
        submit(&rig.producer, 1, on(topic)).await;
    }
    split(&rig, "1 4 1").await;
    let mut moved = 0;
    for (n, topic) in old.iter().enumerate() {
        let id = submit(&rig.producer, 2, on(topic)).await;
        assert_eq!(told(&rig, topic).await.len(), 2);
        assert_eq!(places(&rig, &format!("job:{id}")).await, [0]);
        let new = format!("new-{n}");
        submit(&rig.producer, 3, on(&new)).await;
        moved += usize::from(places(&rig, &format!("log:{new}")).await != [0]);
    }
    assert!(moved > 5, "{moved}");
    // Its log is forgotten, and begins where it belongs now.
    for topic in &old {
        let keys = ["top", "log"].map(|what| format!("test{{chat}}:{what}:{topic}"));
        let _: u64 = rig.server.command(&["DEL", &keys[0], &keys[1]]).await;
        submit(&rig.producer, 4, on(topic)).await;
        assert_eq!(told(&rig, topic).await.len(), 1);
    }
    let gone = join_all(
        old.iter()
            .map(async |topic| places(&rig, &format!("log:{topic}")).await),
    );
    assert!(gone.await.iter().filter(|places| **places != [0]).count() > 5);
}

#[tokio::test]
async fn what_was_handed_in_before_is_found() {
    let rig = Rig::new().await;
    let keyed = |n: usize| JobOptions {
        key: Some(IdempotencyKey::new(format!("order:{n}")).unwrap()),
        ..JobOptions::default()
    };
    let (_, late) = other(&rig.server);
    submit(&late, 0, JobOptions::default()).await;
    let mut first = Vec::new();
    for n in 0..20 {
        let plain = submit(&rig.producer, n, JobOptions::default()).await;
        first.push((plain, submit(&rig.producer, n, keyed(n)).await));
    }
    for (time, placement) in ["1 3 1", "2 5 3 1"].into_iter().enumerate() {
        split(&rig, placement).await;
        for producer in [&rig.producer, &late] {
            for (n, (plain, by_key)) in first.iter().enumerate() {
                let payload = n.to_string();
                let again = producer.submit(*plain, job(&payload, JobOptions::default()));
                assert!(again.await.unwrap().duplicate, "{n} after {time}");
                let again = producer.submit(Producer::new_id(), job(&payload, keyed(n)));
                let again = again.await.unwrap();
                assert_eq!((again.id, again.duplicate), (*by_key, true));
                let other = producer.submit(Producer::new_id(), job("\"x\"", keyed(n)));
                assert_eq!(other.await.unwrap_err(), SubmitError::Conflict);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_topic_is_in_two_places_and_each_keeps_its_order() {
    const TOPICS: usize = 40;
    let rig = Rig::new().await;
    let others: Vec<_> = (0..3).map(|_| other(&rig.server).1).collect();
    let mut placement = Placement::default().generation();
    let writers = others.iter().enumerate().map(async |(writer, producer)| {
        let mut waiting = Vec::new();
        for n in 0..1_500 {
            // New topics all the time, and each of a writer's own: their order is that of its jobs.
            let topic = format!("w{writer}-{}", n % TOPICS + TOPICS * (n / 500));
            let shared = format!("shared-{}", n % TOPICS + TOPICS * (n / 500));
            for topic in [topic, shared] {
                let (done, receipt) = tokio::sync::oneshot::channel();
                let options = JobOptions {
                    announce: Some(serde_json::value::to_raw_value(&n).unwrap()),
                    ..on(&topic)
                };
                let told = move |result| drop(done.send(result));
                producer
                    .hand_in(Producer::new_id(), job("1", options), told)
                    .await;
                waiting.push(receipt);
            }
            if n % 100 == 0 {
                for receipt in waiting.drain(..) {
                    receipt.await.unwrap().unwrap();
                }
            }
        }
        for receipt in waiting {
            receipt.await.unwrap().unwrap();
        }
    });
    let splits = async {
        for counts in ["2 1", "5 2 1", "3 5 2 1", "1 3 5 2", "6 1 3 5 2"] {
            placement += 1;
            split(&rig, &format!("{placement} {counts}")).await;
            let enqueued = || async {
                let mut sum = 0;
                for index in 0..6 {
                    let queue = partition_name(&rig.queue, index).unwrap();
                    sum += rig.inspector.counts(&queue).await.unwrap().1.enqueued;
                }
                sum
            };
            let before = enqueued().await;
            until("some more came in", async || {
                let now = enqueued().await;
                (now > before + 500 || now == 9_000).then_some(())
            })
            .await;
        }
    };
    tokio::join!(join_all(writers), splits);
    let mut all = 0;
    let mut used = HashSet::new();
    for n in 0..3 * TOPICS {
        for writer in 0..3 {
            let topic = format!("w{writer}-{n}");
            let told = told(&rig, &topic).await;
            let numbers: Vec<usize> = told.iter().map(|json| number(json)).collect();
            assert!(numbers.is_sorted(), "{topic}: {numbers:?}");
            all += numbers.len();
            used.extend(places(&rig, &format!("log:{topic}")).await);
        }
        all += told(&rig, &format!("shared-{n}")).await.len();
    }
    assert_eq!(all, 9_000);
    assert!(used.len() > 3, "{used:?}");
}

/// What the submitter announced.
fn number(json: &str) -> usize {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    usize::try_from(value["data"].as_u64().unwrap()).unwrap()
}

#[tokio::test]
async fn a_partition_takes_no_jobs_of_its_own() {
    let rig = Rig::new().await;
    split(&rig, "1 3").await;
    join_all((0..30).map(|n| submit(&rig.producer, n, JobOptions::default()))).await;
    let config = ProducerConfig::default();
    let tracker = TaskTracker::new();
    let queue = QueueName::new("chat.1").unwrap();
    let redis = rig.server.connect("test");
    let direct = Producer::spawn(redis, queue, QueueArgs::default(), config, &tracker);
    let refused = direct.submit(Producer::new_id(), job("1", JobOptions::default()));
    assert_eq!(refused.await.unwrap_err(), SubmitError::Refused);
}
