//! Following a channel across everything that can happen to Redis.

use std::{fmt::Write as _, sync::Arc, sync::Mutex};

use broker::{
    Delivery, FollowState, JobHandle, QueueArgs, follow, testing::TestRedis, testing::until,
};
use protocol::{EventLevel, EventType, JobOptions, Topic};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::rig::{Rig, Setup};

/// What a follower saw: one line an event, `type data`, and `gap`.
pub struct Seen {
    pub lines: Arc<Mutex<Vec<String>>>,
    state: watch::Receiver<FollowState>,
    _stop: DropGuard,
}

impl Seen {
    pub async fn live(rig: &Rig, topic: &impl ToString) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (state, mut states) = watch::channel(FollowState::Away);
        let stop = CancellationToken::new();
        let deliver = {
            let lines = Arc::clone(&lines);
            move |delivery: Delivery<'_>| lines.lock().unwrap().push(line(&delivery))
        };
        let on_state = move |now| {
            state.send_replace(now);
        };
        let following = follow(
            rig.redis.clone(),
            rig.channel(topic),
            on_state,
            deliver,
            stop.clone(),
        );
        rig.tracker.spawn(following);
        states
            .wait_for(|state| *state == FollowState::Live)
            .await
            .unwrap();
        Self {
            lines,
            state: states,
            _stop: stop.drop_guard(),
        }
    }

    pub async fn until(&self, count: usize) -> Vec<String> {
        until(&format!("{count} deliveries are there"), async || {
            let lines = self.lines.lock().unwrap();
            (lines.len() >= count).then(|| lines.clone())
        })
        .await
    }
}

fn line(delivery: &Delivery<'_>) -> String {
    match delivery {
        Delivery::Event(published) => {
            let mut line = published.event.event.as_str().to_owned();
            if let Some(data) = published.event.data {
                write!(line, " {}", data.get()).unwrap();
            }
            line
        }
        _ => "gap".to_owned(),
    }
}

fn say(text: &str) -> JobOptions {
    JobOptions {
        topic: Some(Topic::new("room").unwrap()),
        events: EventLevel::Outcome,
        announce: Some(RawValue::from_string(text.to_owned()).unwrap()),
        ..JobOptions::default()
    }
}

#[tokio::test]
async fn a_job_tells_its_life_in_order() {
    let rig = Rig::new().await;
    let id = broker::Producer::new_id();
    let seen = Seen::live(&rig, &id).await;
    let worker = rig.worker("w", Setup::default(), |handle: JobHandle, _| async move {
        for n in 0..3 {
            handle.emit(EventType::Chunk, to_raw_value(&n)?).await?;
        }
        Ok("\"done\"".into())
    });
    rig.producer
        .submit(id, crate::rig::job("1", JobOptions::default()))
        .await
        .unwrap();
    let expected = [
        "queued",
        "started",
        "chunk 0",
        "chunk 1",
        "chunk 2",
        "completed \"done\"",
    ];
    assert_eq!(seen.until(6).await, expected);
    worker.stop().await;
}

#[tokio::test]
async fn a_lost_subscription_misses_nothing() {
    let rig = Rig::new().await;
    let mut seen = Seen::live(&rig, &"room").await;
    rig.submit("1", say("1")).await;
    seen.until(1).await;
    for n in 2..=20 {
        let _: i64 = rig
            .server
            .command(&["CLIENT", "KILL", "TYPE", "pubsub"])
            .await;
        rig.submit("1", say(&n.to_string())).await;
    }
    let lines = seen.until(20).await;
    let expected: Vec<_> = (1..=20).map(|n| format!("queued {n}")).collect();
    assert_eq!(lines, expected);
    seen.state
        .wait_for(|state| *state == FollowState::Live)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_message_that_pubsub_lost_is_read_from_the_log() {
    let rig = Rig::new().await;
    let seen = Seen::live(&rig, &"room").await;
    rig.submit("1", say("1")).await;
    seen.until(1).await;
    // An event whose message nobody received: published in a transaction that only writes the log.
    let event = r#"{"type":"queued","job":"01ARZ3NDEKTSV4RRFFQ69G5FAV","kind":"test","attempt":0,"time":1,"data":2}"#;
    let _: i64 = rig
        .server
        .command(&["RPUSH", "test{chat}:log:room", event])
        .await;
    let _: i64 = rig
        .server
        .command(&["HSET", "test{chat}:top:room", "o", "2"])
        .await;
    rig.submit("1", say("3")).await;
    assert_eq!(seen.until(3).await, ["queued 1", "queued 2", "queued 3"]);
}

#[tokio::test]
async fn a_restarted_redis_is_caught_up_with() {
    let mut rig = Rig::on(TestRedis::durable().await, QueueArgs::default());
    let seen = Seen::live(&rig, &"room").await;
    rig.submit("1", say("1")).await;
    let submit = async |rig: &Rig, n: u32| {
        let job = crate::rig::job("1", say(&n.to_string()));
        let receipt = rig.producer.submit(broker::Producer::new_id(), job).await;
        receipt.unwrap()
    };
    let first = submit(&rig, 1).await;
    rig.server.kill();
    rig.server.run().await;
    let mut last = None;
    for n in 2..=5 {
        last = Some(submit(&rig, n).await);
    }
    assert_eq!(
        seen.until(6).await[1..],
        (1..=5).map(|n| format!("queued {n}")).collect::<Vec<_>>()
    );
    // The log goes on under another name: offsets that a crash may have lost are given out again.
    let last = last.unwrap();
    assert_ne!(first.epoch, last.epoch);
    let feed = broker::Feed::topic(rig.redis.prefix(), &rig.channel(&"room"));
    let page = rig
        .redis
        .log(&feed, broker::Part::After(first.offset), 100, 1000);
    let page = page.await.unwrap();
    assert_eq!(page.entries.len(), 4);
    assert_eq!(page.top.position.offset, last.offset);
    let at = |epoch: &str, offset| broker::Position {
        epoch: epoch.to_owned(),
        offset,
    };
    assert!(page.top.goes_on_from(&at(&first.epoch, first.offset)));
    assert!(!page.top.goes_on_from(&at(&first.epoch, first.offset + 1)));
}

#[tokio::test]
async fn a_wiped_redis_is_a_gap() {
    let rig = Rig::new().await;
    let seen = Seen::live(&rig, &"room").await;
    rig.submit("1", say("1")).await;
    rig.submit("1", say("2")).await;
    seen.until(2).await;
    let _: String = rig.server.command(&["FLUSHALL"]).await;
    rig.submit("1", say("3")).await;
    assert_eq!(
        seen.until(4).await,
        ["queued 1", "queued 2", "gap", "queued 3"]
    );
}

#[tokio::test]
async fn a_follower_that_was_away_too_long_is_told_of_the_gap() {
    let args = QueueArgs {
        log_max_events: 10,
        ..QueueArgs::default()
    };
    let mut rig = Rig::on(TestRedis::durable().await, args);
    let seen = Seen::live(&rig, &"room").await;
    rig.submit("1", say("1")).await;
    seen.until(1).await;
    // Away: its connection is cut while Redis only takes others'. A restart does that for all; what is logged
    // before the follower is back is what it missed.
    rig.server.kill();
    rig.server.run().await;
    let _: String = rig
        .server
        .command(&["CLIENT", "PAUSE", "60000", "WRITE"])
        .await;
    let submits = (2..=40).map(|n| rig.submit("1", say(&n.to_string())));
    let unpause = async {
        let _: String = rig.server.command(&["CLIENT", "UNPAUSE"]).await;
    };
    tokio::join!(futures_util::future::join_all(submits), unpause);
    // It may have been back in time for all, or have a gap; never a silent one.
    let lines = until("the last event is there", async || {
        let lines = seen.lines.lock().unwrap();
        (lines.last().is_some_and(|line| line == "queued 40")).then(|| lines.clone())
    })
    .await;
    let mut expected = 1;
    for line in lines {
        if line == "gap" {
            expected = 0;
        } else {
            let n: u32 = line.trim_start_matches("queued ").parse().unwrap();
            assert!(
                expected == 0 || n == expected,
                "{n} came where {expected} was due"
            );
            expected = n + 1;
        }
    }
}

/// Makes the room's log one that another run of Redis wrote.
async fn another_run(rig: &Rig) {
    let words = ["HSET", "test{chat}:top:room", "r", "another"];
    let _: i64 = rig.server.command(&words).await;
}

#[tokio::test]
async fn a_redis_that_lost_its_last_writes_is_a_gap() {
    let rig = Rig::new().await;
    let seen = Seen::live(&rig, &"room").await;
    let keys = [
        ("test{chat}:log:room", "kept{chat}:log"),
        ("test{chat}:top:room", "kept{chat}:top"),
    ];
    rig.submit("1", say("1")).await;
    seen.until(1).await;
    for (key, kept) in keys {
        let copied: i64 = rig.server.command(&["COPY", key, kept]).await;
        assert_eq!(copied, 1, "{key}");
    }
    for n in 2..=3 {
        rig.submit("1", say(&n.to_string())).await;
    }
    seen.until(3).await;
    // The log is as it was after the first event.
    for (key, kept) in keys {
        let _: i64 = rig.server.command(&["COPY", kept, key, "REPLACE"]).await;
    }
    another_run(&rig).await;
    rig.submit("1", say("4")).await;
    rig.submit("1", say("5")).await;
    let lines = seen.until(6).await;
    let expected = [
        "queued 1", "queued 2", "queued 3", "gap", "queued 4", "queued 5",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_log_that_was_written_again_while_nobody_looked_is_a_gap() {
    let rig = Rig::new().await;
    let seen = Seen::live(&rig, &"room").await;
    for n in 1..=3 {
        rig.submit("1", say(&n.to_string())).await;
    }
    seen.until(3).await;
    // Redis lost the last two, and four others came in their place, beyond where the follower was.
    let log = "test{chat}:log:room";
    let _: i64 = rig.server.command(&["DEL", log]).await;
    let id = broker::Producer::new_id();
    for (offset, data) in (1..=5).zip(["1", "4", "5", "6", "7"]) {
        let time = if offset == 1 { 1 } else { u64::MAX / 2 };
        let event = format!(
            r#"{{"type":"queued","job":"{id}","kind":"test","attempt":0,"time":{time},"data":{data}}}"#
        );
        let _: i64 = rig.server.command(&["RPUSH", log, &event]).await;
    }
    let top = "test{chat}:top:room";
    let epoch: String = rig.server.command(&["HGET", top, "e"]).await;
    let former = format!("{epoch} 1");
    let words = ["HSET", top, "o", "5", "e", "another", "p", &former];
    let _: i64 = rig.server.command(&words).await;
    let _: i64 = rig
        .server
        .command(&["CLIENT", "KILL", "TYPE", "pubsub"])
        .await;
    let lines = seen.until(8).await;
    let expected = [
        "queued 1", "queued 2", "queued 3", "gap", "queued 4", "queued 5", "queued 6", "queued 7",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn data_over_several_lines_comes_at_once_and_as_one_event() {
    let rig = Rig::new().await;
    let id = broker::Producer::new_id();
    let seen = Seen::live(&rig, &id).await;
    let started = std::time::Instant::now();
    let worker = rig.worker("w", Setup::default(), async |_, _| {
        Ok("{\n  \"a\": \"b\\n\"\n}".into())
    });
    rig.producer
        .submit(id, crate::rig::job("1", JobOptions::default()))
        .await
        .unwrap();
    let lines = seen.until(3).await;
    // A line break that means nothing would end a line of the message.
    assert_eq!(lines[2], "completed {   \"a\": \"b\\n\" }");
    // Not only when the log is next compared.
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
    // What is kept is kept byte for byte.
    let result = rig.get(id).await.result.unwrap();
    assert_eq!(result.get(), "{\n  \"a\": \"b\\n\"\n}");
    worker.stop().await;
}
