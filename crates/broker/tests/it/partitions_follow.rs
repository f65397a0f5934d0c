//! Following what is in a partition, or comes to be in one.

use broker::{Control, Feed, Part, Position};
use protocol::{EventLevel, IdempotencyKey, JobOptions, Topic};
use serde_json::value::RawValue;

use crate::{
    follow::Seen,
    partitions_find::{control, put},
    rig::{Rig, job},
};

/// A topic that is created in this one of so many partitions.
fn topic_of(place: u16, count: u16) -> Topic {
    let hash = |name: &str| crc16::State::<crc16::XMODEM>::calculate(name.as_bytes());
    let mut names = (0..1_000).map(|n| format!("room-{n}"));
    let name = names.find(|name| hash(name) % count == place).unwrap();
    Topic::new(name).unwrap()
}

fn say(topic: &Topic, text: u32) -> JobOptions {
    JobOptions {
        topic: Some(topic.clone()),
        events: EventLevel::Outcome,
        announce: Some(RawValue::from_string(text.to_string()).unwrap()),
        ..JobOptions::default()
    }
}

fn queued(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    let lines = numbers.into_iter().map(|n| format!("queued {n}"));
    lines.collect()
}

fn feed(rig: &Rig, topic: &Topic) -> Feed {
    Feed::topic(rig.redis.prefix(), &rig.channel(topic))
}

#[tokio::test]
async fn a_topic_that_has_a_log_is_followed_where_that_is() {
    let rig = Rig::new().await;
    let topic = topic_of(1, 2);
    rig.submit("1", say(&topic, 1)).await;
    let seen = Seen::live(&rig, &topic).await;
    control(&rig).partition(&rig.queue, 2).await.unwrap();
    let later = Seen::live(&rig, &topic).await;
    rig.submit("1", say(&topic, 2)).await;
    rig.submit("1", say(&topic, 3)).await;
    assert_eq!(seen.until(2).await, queued(2..=3));
    assert_eq!(later.until(2).await, queued(2..=3));
    assert_eq!(rig.events(&topic).await.len(), 3);
}

#[tokio::test]
async fn a_new_topic_is_followed_where_it_will_be() {
    let rig = Rig::new().await;
    rig.submit("1", JobOptions::default()).await;
    control(&rig).partition(&rig.queue, 3).await.unwrap();
    let topics = [0, 1, 2].map(|place| topic_of(place, 3));
    for (place, topic) in (0..).zip(&topics) {
        let seen = Seen::live(&rig, topic).await;
        for n in 1..=3 {
            rig.submit("1", say(topic, n)).await;
        }
        assert_eq!(seen.until(3).await, queued(1..=3), "partition {place}");
    }
    let feeds = topics.map(|topic| feed(&rig, &topic));
    for feed in &feeds {
        let page = rig.redis.log(feed, Part::After(1), 10, 1_000).await;
        let page = page.unwrap();
        assert_eq!((page.entries.len(), page.top.position.offset), (2, 3));
    }
    let seen = Seen::live(&rig, &topic_of(2, 3)).await;
    assert_eq!(rig.redis.followers(&feeds[2]).await.unwrap(), 1);
    assert_eq!(rig.redis.followers(&feeds[0]).await.unwrap(), 0);
    drop(seen);
}

#[tokio::test]
async fn a_topic_without_a_log_moves_and_nothing_is_missed() {
    let rig = Rig::new().await;
    let topic = topic_of(1, 2);
    rig.submit("1", JobOptions::default()).await;
    let seen = Seen::live(&rig, &topic).await;
    let control = control(&rig);
    let put = async |n: u32| {
        rig.submit("1", say(&topic, n)).await;
    };
    // Some comes before the follower knows of it.
    control.partition(&rig.queue, 2).await.unwrap();
    for n in 1..=20 {
        put(n).await;
    }
    assert_eq!(seen.until(20).await, queued(1..=20));
    for n in 21..=30 {
        put(n).await;
    }
    assert_eq!(seen.until(30).await, queued(1..=30));
}

#[tokio::test]
async fn a_split_by_another_process_is_heard_of() {
    let rig = Rig::new().await;
    let topic = topic_of(1, 2);
    rig.submit("1", JobOptions::default()).await;
    let seen = Seen::live(&rig, &topic).await;
    let other = Control::new(rig.server.connect("test"), rig.args.clone());
    other.partition(&rig.queue, 2).await.unwrap();
    for n in 1..=5 {
        rig.submit("1", say(&topic, n)).await;
    }
    assert_eq!(seen.until(5).await, queued(1..=5));
}

#[tokio::test]
async fn a_topic_whose_old_log_ends_is_followed_on() {
    let rig = Rig::new().await;
    let topic = topic_of(1, 2);
    rig.submit("1", say(&topic, 1)).await;
    let seen = Seen::live(&rig, &topic).await;
    control(&rig).partition(&rig.queue, 2).await.unwrap();
    rig.submit("1", say(&topic, 2)).await;
    seen.until(1).await;
    for key in ["log", "top"] {
        let key = format!("test{{chat}}:{key}:{topic}");
        let _: i64 = rig.server.command(&["DEL", &key]).await;
    }
    for n in 3..=9 {
        rig.submit("1", say(&topic, n)).await;
    }
    assert_eq!(seen.until(8).await, queued(2..=9));
}

#[tokio::test]
async fn a_job_is_followed_in_every_partition() {
    let rig = Rig::new().await;
    let control = control(&rig);
    control.partition(&rig.queue, 3).await.unwrap();
    for place in 0..3 {
        let id = put(&rig, place).await;
        let seen = Seen::live(&rig, &id).await;
        control.cancel(&rig.queue, &[id], None).await.unwrap();
        assert_eq!(seen.until(1).await, ["cancelled"], "partition {place}");
        assert_eq!(rig.events(&id).await.len(), 2);
    }
    // One that is not there yet, and comes where its id alone would not have put it.
    let placement = rig.redis.newest_placement(&rig.queue).await.unwrap();
    let mut keys = (0..100).map(|n| format!("k{n}"));
    let id = rig.id_in(0).await;
    let elsewhere = |key: &String| placement.places(&format!("public:{key}"))[0] != 0;
    let keyed = JobOptions {
        key: Some(IdempotencyKey::new(keys.find(elsewhere).unwrap()).unwrap()),
        ..JobOptions::default()
    };
    let seen = Seen::live(&rig, &id).await;
    rig.producer.submit(id, job("1", keyed)).await.unwrap();
    control.cancel(&rig.queue, &[id], None).await.unwrap();
    assert_eq!(seen.until(2).await, ["queued", "cancelled"]);
}

#[tokio::test]
async fn a_topic_is_opened_where_it_will_be() {
    let rig = Rig::new().await;
    rig.submit("1", JobOptions::default()).await;
    control(&rig).partition(&rig.queue, 2).await.unwrap();
    let topic = topic_of(1, 2);
    let rooms = broker::Rooms::spawn(
        rig.redis.clone(),
        broker::RoomsConfig::default(),
        &rig.tracker,
    );
    let day = std::time::Duration::from_secs(86_400);
    let history = broker::History {
        size: 10,
        ttl: day,
        meta_ttl: day,
    };
    let opened: Position = rooms.open(&feed(&rig, &topic), history).await.unwrap();
    rig.submit("1", say(&topic, 1)).await;
    let feed = feed(&rig, &topic);
    let page = rig.redis.log(&feed, Part::After(0), 10, 1_000);
    let top = page.await.unwrap().top.position;
    assert_eq!((top.epoch, top.offset), (opened.epoch, 1));
}
