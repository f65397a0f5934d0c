//! Following, asking for and changing what is in the partitions of a queue; and splitting it.

use broker::{
    Control, Done, Feed, PartitionError, Producer, QueueArgs, partition_name, testing::until,
};
use protocol::{EventLevel, IdempotencyKey, JobId, JobOptions, JobState, QueueName, Topic};
use serde_json::value::to_raw_value;

use crate::{
    follow::Seen,
    rig::{Rig, job},
};

/// An operator's, which shares nothing with the processes of the test.
fn control(rig: &Rig) -> Control {
    Control::new(rig.server.connect("test"), QueueArgs::default())
}

fn say(topic: &str, n: usize) -> JobOptions {
    JobOptions {
        topic: Some(Topic::new(topic).unwrap()),
        events: EventLevel::Outcome,
        announce: Some(to_raw_value(&n).unwrap()),
        ..JobOptions::default()
    }
}

fn part(index: u16) -> QueueName {
    partition_name(&QueueName::new("chat").unwrap(), index).unwrap()
}

/// Jobs of all sorts, in several partitions.
async fn jobs(rig: &Rig) -> Vec<JobId> {
    let mut ids = Vec::new();
    for n in 0..12 {
        let keyed = JobOptions {
            key: Some(IdempotencyKey::new(format!("k{n}")).unwrap()),
            ..JobOptions::default()
        };
        for options in [JobOptions::default(), keyed, say(&format!("t{n}"), n)] {
            ids.push(rig.submit("1", options).await);
        }
    }
    let (counts, _) = rig.inspector.sum(&rig.queue).await.unwrap();
    assert_eq!(counts.waiting, ids.len() as u64);
    for index in 0..3 {
        let (counts, _) = rig.inspector.counts(&part(index)).await.unwrap();
        assert!(counts.waiting > 3, "{index}: {counts:?}");
    }
    ids
}

#[tokio::test]
async fn jobs_are_found_and_changed_wherever_they_are() {
    let rig = Rig::new().await;
    control(&rig).partition(&rig.queue, 3).await.unwrap();
    let mut ids = jobs(&rig).await;
    // Processes that know nothing of the partitions yet find them too.
    let control = control(&rig);
    let inspector = broker::Inspector::new(rig.server.connect("test"));
    for id in &ids {
        let there = inspector.get(&rig.queue, *id).await.unwrap().unwrap();
        assert_eq!((there.id, &there.queue), (*id, &rig.queue));
    }
    let nobody = Producer::new_id();
    ids.push(nobody);
    let mut expected = vec![Done::Yes; ids.len() - 1];
    expected.push(Done::NotFound);
    let done = control.cancel(&rig.queue, &ids, None).await.unwrap();
    assert_eq!(done, expected);
    let done = control.retry(&rig.queue, &ids).await.unwrap();
    assert_eq!(done, expected);
    let done = control.delete(&rig.queue, &ids).await.unwrap();
    assert_eq!(done, expected);
    assert!(
        rig.inspector
            .get(&rig.queue, ids[0])
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_queue_is_split_as_often_as_can_be_remembered() {
    let rig = Rig::new().await;
    let control = control(&rig);
    // Nothing is there that could be looked for.
    let first = control.partition(&rig.queue, 3).await.unwrap();
    assert_eq!((first.count(), first.held()), (3, 3));
    rig.submit("1", JobOptions::default()).await;
    for count in [2, 4, 5, 6, 7, 8, 9] {
        let next = control.partition(&rig.queue, count).await.unwrap();
        assert_eq!(next.count(), count);
    }
    let refused = control.partition(&rig.queue, 10).await.unwrap_err();
    assert!(matches!(refused, PartitionError::TooOften), "{refused}");
    let same = control.partition(&rig.queue, 9).await.unwrap();
    let again = control.partition(&rig.queue, 4).await.unwrap();
    assert!(again.generation() > same.generation());
    for count in [0, 65] {
        assert!(control.partition(&rig.queue, count).await.is_err());
    }
}

#[tokio::test]
async fn a_topic_is_followed_where_it_is_and_where_it_goes() {
    let rig = Rig::new().await;
    let control = control(&rig);
    let old: Vec<_> = (0..6).map(|n| format!("old-{n}")).collect();
    let new: Vec<_> = (0..6).map(|n| format!("new-{n}")).collect();
    for topic in &old {
        rig.submit("1", say(topic, 0)).await;
    }
    let mut seen = Vec::new();
    for topic in old.iter().chain(&new) {
        seen.push((topic, Seen::live(&rig, topic).await));
    }
    control.partition(&rig.queue, 3).await.unwrap();
    for n in 1..4 {
        for topic in old.iter().chain(&new) {
            rig.submit("1", say(topic, n)).await;
        }
    }
    for (topic, seen) in &seen {
        let lines = seen.until(3).await;
        assert_eq!(lines, ["queued 1", "queued 2", "queued 3"], "{topic}");
    }
    // One whose log is forgotten goes on elsewhere.
    for topic in &old {
        for what in ["top", "log"] {
            let key = format!("test{{chat}}:{what}:{topic}");
            let _: u64 = rig.server.command(&["DEL", &key]).await;
        }
        rig.submit("1", say(topic, 4)).await;
    }
    for (topic, seen) in seen.iter().take(old.len()) {
        // In the same place it is another log, before which something may be missing; in another one nothing is.
        let mut lines = seen.until(4).await;
        if lines[3] == "gap" {
            lines = seen.until(5).await;
            let key = format!("test{{chat}}:top:{topic}");
            let stayed: bool = rig.server.command(&["EXISTS", &key]).await;
            assert!(stayed, "{topic}");
        }
        assert_eq!(lines.last().unwrap(), "queued 4", "{topic}: {lines:?}");
    }
    let mut elsewhere = 0;
    for topic in old.iter().chain(&new) {
        assert_eq!(
            rig.events(topic).await.last().unwrap().0,
            if topic.starts_with("old") { 1 } else { 3 }
        );
        let feed = Feed::topic("test", &rig.channel(topic));
        assert_eq!(rig.redis.followers(&feed).await.unwrap(), 1, "{topic}");
        let here: bool = rig
            .server
            .command(&["EXISTS", &format!("test{{chat}}:top:{topic}")])
            .await;
        elsewhere += usize::from(!here);
    }
    assert!(elsewhere > 4, "{elsewhere}");
}

#[tokio::test]
async fn a_job_is_followed_wherever_its_key_has_put_it() {
    let rig = Rig::new().await;
    control(&rig).partition(&rig.queue, 3).await.unwrap();
    rig.redis.newest_placement(&rig.queue).await.unwrap();
    for n in 0..6 {
        let id = Producer::new_id();
        let key = IdempotencyKey::new(format!("k{n}")).unwrap();
        let options = JobOptions {
            key: Some(key),
            ..JobOptions::default()
        };
        let before = Seen::live(&rig, &id).await;
        rig.producer.submit(id, job("1", options)).await.unwrap();
        let after = Seen::live(&rig, &id).await;
        let done = control(&rig).cancel(&rig.queue, &[id], None).await.unwrap();
        assert_eq!(done, [Done::Yes]);
        assert_eq!(after.until(1).await, ["cancelled"]);
        assert_eq!(before.until(2).await, ["queued", "cancelled"]);
    }
    until("all are cancelled", async || {
        let (counts, _) = rig.inspector.sum(&rig.queue).await.ok()?;
        (counts.get(JobState::Cancelled) == 6).then_some(())
    })
    .await;
}
