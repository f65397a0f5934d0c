//! A job that comes alone is given at once to a worker that offered itself.

use std::time::Duration;

use broker::{
    Control, Producer, QueueSettings,
    testing::{Act, Held, Puppet, What, until},
};
use protocol::{EventLevel, JobId, JobOptions, JobState, Topic};
use serde_json::{Value, value::RawValue};

use crate::{
    puppets::puppet,
    rig::{Rig, job},
};

const LEASE: Duration = Duration::from_secs(60);

pub fn outcome() -> JobOptions {
    JobOptions {
        events: EventLevel::Outcome,
        ..JobOptions::default()
    }
}

async fn listening(rig: &Rig, name: &str, kinds: &[&str]) -> Puppet {
    let mut puppet = puppet(rig, name, kinds);
    puppet.listen().await;
    puppet
}

/// One that listens and has offered itself.
async fn offering(rig: &Rig, name: &str, kinds: &[&str]) -> Puppet {
    let mut puppet = listening(rig, name, kinds).await;
    assert_eq!(look(&mut puppet, 1).await, []);
    puppet
}

/// A round that takes up to so many, or offers the puppet for them.
async fn look(puppet: &mut Puppet, want: usize) -> Vec<JobId> {
    let answer = puppet.offer(&[], want, LEASE, true).await.unwrap();
    ids(&answer.claims)
}

fn ids(claims: &[Held]) -> Vec<JobId> {
    claims.iter().map(|held| held.id).collect()
}

fn completes(id: JobId) -> Act {
    Act {
        id,
        attempt: 1,
        what: What::Complete(RawValue::from_string("0".into()).unwrap()),
    }
}

pub async fn offers(rig: &Rig) -> u64 {
    let key = "test{chat}:offers";
    rig.server.command(&["ZCARD", key]).await
}

pub async fn until_offered(rig: &Rig, many: u64) {
    until(&format!("{many} offers stand"), async || {
        (offers(rig).await == many).then_some(())
    })
    .await;
}

/// How many jobs wait and are active, as it is counted and as it is.
async fn counts(rig: &Rig) -> [u64; 4] {
    let counted = rig.inspector.counts(&rig.queue).await.unwrap().0;
    let waiting = rig.server.command(&["ZCARD", "test{chat}:wait:1:public"]);
    let active = rig.server.command(&["ZCARD", "test{chat}:active"]);
    [counted.waiting, waiting.await, counted.active, active.await]
}

#[tokio::test]
async fn who_offered_itself_is_given_what_comes() {
    let rig = Rig::new().await;
    let mut worker = offering(&rig, "w", &["other", "test"]).await;
    for n in 1..=3 {
        let id = rig.submit("[1]", outcome()).await;
        let held = worker.hear().await;
        assert_eq!((held.id, held.attempt, held.handed_back), (id, 1, 0));
        assert_eq!(held.job.unwrap().payload.get(), "[1]");
        let record = rig.get(id).await;
        assert_eq!(record.state, JobState::Active);
        assert_eq!(record.worker.as_deref(), Some("w"));
        assert_eq!(counts(&rig).await, [0, 0, 1, 1]);
        // Nobody is woken, and nobody else can have it.
        let tokens: u64 = rig.server.command(&["LLEN", "test{chat}:wake"]).await;
        assert_eq!((tokens, offers(&rig).await), (0, 0));

        let done = worker.offer(&[completes(id)], 1, LEASE, true).await;
        assert_eq!(done.unwrap().written, [true]);
        assert_eq!(rig.get(id).await.state, JobState::Completed);
        assert_eq!((counts(&rig).await, offers(&rig).await), ([0; 4], 1));
        let tenants: u64 = rig.server.command(&["HLEN", "test{chat}:tenants"]).await;
        let totals = rig.inspector.counts(&rig.queue).await.unwrap().1;
        assert_eq!((tenants, totals.enqueued, totals.completed), (0, n, n));
    }
}

/// What events say, but for ids and times.
fn said(events: &[(u64, String)]) -> Vec<(u64, Value)> {
    let strip = |(offset, json): &(u64, String)| {
        let mut event: Value = serde_json::from_str(json).unwrap();
        for field in ["job", "time"] {
            assert!(event.as_object_mut().unwrap().remove(field).is_some());
        }
        (*offset, event)
    };
    events.iter().map(strip).collect()
}

#[tokio::test]
async fn its_channel_tells_of_it_as_of_any() {
    let rig = Rig::new().await;
    let mut worker = listening(&rig, "w", &[]).await;
    let (mut logs, mut records) = (Vec::new(), Vec::new());
    // The first of a queue goes the long way.
    for is_given in [false, false, true] {
        if is_given {
            assert_eq!(look(&mut worker, 1).await, []);
        }
        let options = JobOptions {
            announce: Some(RawValue::from_string("[7]".into()).unwrap()),
            ..JobOptions::default()
        };
        let id = rig.submit("1", options).await;
        if is_given {
            assert_eq!(worker.hear().await.id, id);
        } else {
            assert_eq!(look(&mut worker, 1).await, [id]);
        }
        let begun = said(&rig.events(&id).await);
        let done = worker.offer(&[completes(id)], 0, LEASE, true).await;
        assert_eq!(done.unwrap().written, [true]);
        logs.push((begun, said(&rig.events(&id).await)));
        let key = format!("test{{chat}}:job:{id}");
        let record: String = rig.server.command(&["GET", &key]).await;
        // All numbers may differ, but how long the log is.
        let words = record.split_whitespace().map(|word| {
            let is_log = word.starts_with("log=");
            let kept = if is_log {
                word.rsplit_once(':').unwrap().0
            } else {
                word
            };
            kept.chars()
                .filter(|c| is_log || !c.is_ascii_digit())
                .collect::<String>()
        });
        records.push(words.collect::<Vec<_>>());
    }
    assert_eq!(logs[1], logs[2]);
    assert_eq!((logs[2].0.len(), logs[2].1.len()), (2, 3));
    assert_eq!(records[1], records[2]);
}

#[tokio::test]
async fn what_was_not_heard_of_is_told_by_the_next_round() {
    let rig = Rig::new().await;
    let mut worker = offering(&rig, "w", &[]).await;
    let id = rig.submit("1", outcome()).await;
    // It takes the only place, so this one waits.
    let second = rig.submit("2", outcome()).await;
    assert_eq!(look(&mut worker, 1).await, [id]);
    assert_eq!(rig.get(second).await.state, JobState::Waiting);
    assert_eq!(look(&mut worker, 2).await, [second]);
    // What was told is not given again when it is heard of after all.
    let third = rig.submit("3", outcome()).await;
    assert_eq!(worker.hear().await.id, third);
    let acts = [id, second, third].map(completes);
    let done = worker.offer(&acts, 0, LEASE, true).await.unwrap();
    assert_eq!(done.written, [true; 3]);
}

#[tokio::test]
async fn what_was_heard_of_is_not_told() {
    let rig = Rig::new().await;
    let mut worker = offering(&rig, "w", &[]).await;
    let id = rig.submit("1", outcome()).await;
    assert_eq!(worker.hear().await.id, id);
    assert_eq!(look(&mut worker, 2).await, []);
    let next = rig.submit("2", outcome()).await;
    assert_eq!(worker.hear().await.id, next);
}

#[tokio::test]
async fn nothing_is_lost_with_message_and_answer() {
    let rig = Rig::new().await;
    let mut worker = listening(&rig, "w", &[]).await;
    // The answer to the round in which it was made is lost, and so is the message.
    worker.offer_unanswered(&[], 2, LEASE, true).await.unwrap();
    let first = rig.submit("1", outcome()).await;
    worker.listen().await;
    assert_eq!(ids(&worker.repeat().await.unwrap().claims), [first]);

    // The answer that tells of it is lost, and there is something to be taken besides.
    assert_eq!(look(&mut worker, 2).await, []);
    let second = rig.submit("2", outcome()).await;
    let third = rig.submit("3", outcome()).await;
    worker.listen().await;
    worker.offer_unanswered(&[], 2, LEASE, true).await.unwrap();
    let again = worker.repeat().await.unwrap();
    let mut claims = ids(&again.claims);
    claims.sort_unstable();
    let mut should = vec![second, third];
    should.sort_unstable();
    assert_eq!(claims, should);
    let acts = [first, second, third].map(completes);
    let done = worker.offer(&acts, 0, LEASE, true).await.unwrap();
    assert_eq!(done.written, [true; 3]);
}

#[tokio::test]
async fn nobody_who_is_gone_is_given_anything() {
    let rig = Rig::new().await;
    let gone = offering(&rig, "gone", &[]).await;
    let mut silent = offering(&rig, "silent", &[]).await;
    let mut there = listening(&rig, "there", &[]).await;
    let hear = async || {
        let channel = "test{chat}:hand:gone";
        let count = async |what| -> u64 {
            let words = ["PUBSUB", what, channel];
            let (_, many): (String, u64) = rig.server.command_where(channel, &words).await;
            many
        };
        count("NUMSUB").await + count("SHARDNUMSUB").await
    };
    assert_eq!(hear().await, 1);
    drop(gone);
    until("it is heard no more", async || {
        (hear().await == 0).then_some(())
    })
    .await;
    let first = rig.submit("1", outcome()).await;
    assert_eq!(rig.get(first).await.state, JobState::Waiting);
    assert_eq!(counts(&rig).await, [1, 1, 0, 0]);
    assert_eq!(look(&mut there, 1).await, [first]);

    // An offer that was not renewed for long.
    let key = "test{chat}:offers";
    let made: Vec<String> = rig.server.command(&["ZRANGE", key, "0", "-1"]).await;
    assert!(made[0].starts_with("silent "), "{made:?}");
    let _: u64 = rig.server.command(&["ZADD", key, "1000", &made[0]]).await;
    let second = rig.submit("2", outcome()).await;
    assert_eq!(rig.get(second).await.state, JobState::Waiting);
    assert_eq!(look(&mut silent, 1).await, [second]);
}

#[tokio::test]
async fn the_one_that_waits_longest_is_first() {
    let rig = Rig::new().await;
    let mut first = offering(&rig, "z", &[]).await;
    until("a millisecond is over", async || {
        let mut later = offering(&rig, "a", &[]).await;
        let key = "test{chat}:offers";
        let made: Vec<String> = rig.server.command(&["ZRANGE", key, "0", "-1"]).await;
        let is_later = made[0].starts_with("z ");
        later.offer(&[], 1, LEASE, false).await.unwrap();
        is_later.then_some(())
    })
    .await;
    let mut second = offering(&rig, "b", &[]).await;
    let ids = [
        rig.submit("1", outcome()).await,
        rig.submit("2", outcome()).await,
    ];
    assert_eq!([first.hear().await.id, second.hear().await.id], ids);
}

#[tokio::test]
async fn what_asks_for_more_waits_as_before() {
    let rig = Rig::new().await;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    let mut worker = offering(&rig, "w", &["other"]).await;
    let of_another_kind = rig.submit("1", outcome()).await;
    assert_eq!(rig.get(of_another_kind).await.state, JobState::Waiting);
    assert_eq!(offers(&rig).await, 1);
    control
        .cancel(&rig.queue, &[of_another_kind], None)
        .await
        .unwrap();

    let mut all = offering(&rig, "all", &[]).await;
    worker.offer(&[], 1, LEASE, false).await.unwrap();
    // Where its beginning would stand in a channel of others.
    let options = JobOptions {
        topic: Some(Topic::new("room").unwrap()),
        ..JobOptions::default()
    };
    let told = rig.submit("2", options).await;
    assert_eq!(look(&mut all, 1).await, [told]);
    assert_eq!(look(&mut all, 1).await, []);

    // Should the worker have stalled, its only attempt would be spent.
    let options = JobOptions {
        max_attempts: 1,
        ..outcome()
    };
    let once = rig.submit("2", options).await;
    assert_eq!(look(&mut all, 1).await, [once]);
    assert_eq!(look(&mut all, 1).await, []);

    let settings = QueueSettings {
        paused: true,
        ..QueueSettings::default()
    };
    control.set(&rig.queue, &settings).await.unwrap();
    let paused = rig.submit("3", outcome()).await;
    assert_eq!(rig.get(paused).await.state, JobState::Waiting);
    assert_eq!(look(&mut all, 1).await, []);
    control.pause(&rig.queue, false).await.unwrap();
    assert_eq!(look(&mut all, 1).await, [paused]);
}

#[tokio::test]
async fn one_that_is_there_already_takes_no_offer() {
    let rig = Rig::new().await;
    let mut worker = offering(&rig, "w", &[]).await;
    let id = Producer::new_id();
    for again in [false, true] {
        let receipt = rig.producer.submit(id, job("1", outcome())).await.unwrap();
        assert_eq!(receipt.duplicate, again);
        if !again {
            assert_eq!(worker.hear().await.id, id);
            worker
                .offer(&[completes(id)], 1, LEASE, true)
                .await
                .unwrap();
        }
    }
    assert_eq!(offers(&rig).await, 1);
    let next = rig.submit("2", outcome()).await;
    assert_eq!(worker.hear().await.id, next);
}

#[tokio::test]
async fn an_offer_is_taken_back_with_what_it_brought() {
    let rig = Rig::new().await;
    let mut worker = offering(&rig, "w", &[]).await;
    worker.offer(&[], 0, LEASE, false).await.unwrap();
    assert_eq!(offers(&rig).await, 0);
    assert_eq!(look(&mut worker, 1).await, []);
    let id = rig.submit("1", outcome()).await;
    let last = worker.offer(&[], 0, LEASE, false).await.unwrap();
    assert_eq!((ids(&last.claims), offers(&rig).await), (vec![id], 0));
    // Who was lost with it is in nobody's way.
    let kept: u64 = rig.server.command(&["EXISTS", "test{chat}:hand:w"]).await;
    worker.leave().await.unwrap();
    let left: u64 = rig.server.command(&["EXISTS", "test{chat}:hand:w"]).await;
    assert_eq!((kept, left), (1, 0));
}
