//! Nothing in Redis grows without bound.

use broker::{QueueArgs, testing::TestRedis, testing::until};
use protocol::{EventLevel, JobOptions, Topic};
use serde_json::value::to_raw_value;

use crate::rig::{Rig, Setup};

fn say(text: &str) -> JobOptions {
    JobOptions {
        topic: Some(Topic::new("room").unwrap()),
        events: EventLevel::Outcome,
        announce: Some(to_raw_value(text).unwrap()),
        ..JobOptions::default()
    }
}

/// What a log says of itself is what it has: how many events and bytes, in all and in its segments. Says how many events.
async fn is_counted(rig: &Rig) -> usize {
    let log: Vec<String> = rig
        .server
        .command(&["LRANGE", "test{chat}:log:room", "0", "-1"])
        .await;
    let words = ["HMGET", "test{chat}:top:room", "f", "o", "b", "n", "s", "m"];
    let (first, offset, bytes, newest, size, full): (_, _, _, _, _, String) =
        rig.server.command(&words).await;
    let mut segments: Vec<(usize, usize)> = full
        .split_whitespace()
        .map(|segment| segment.split_once(':').unwrap())
        .map(|(events, bytes)| (events.parse().unwrap(), bytes.parse().unwrap()))
        .collect();
    segments.push((newest, size));
    let sums = segments.iter().fold((0, 0), |(events, bytes), segment| {
        (events + segment.0, bytes + segment.1)
    });
    let is = (log.len(), log.iter().map(String::len).sum::<usize>());
    assert_eq!(sums, is, "{segments:?}");
    let (first, offset, bytes): (usize, usize, usize) = (first, offset, bytes);
    assert_eq!((offset + 1 - first, bytes), is);
    is.0
}

#[tokio::test]
async fn a_log_is_bounded_by_count() {
    let args = QueueArgs {
        log_max_events: 100,
        ..QueueArgs::default()
    };
    let rig = Rig::on(TestRedis::start().await, args);
    for n in 0..500 {
        rig.submit("1", say(&n.to_string())).await;
        let kept: u64 = rig.server.command(&["LLEN", "test{chat}:log:room"]).await;
        assert!(kept <= 114, "{kept} events are kept");
    }
    let kept = is_counted(&rig).await;
    assert!(kept >= 100, "{kept} events are kept");
    // More at once than a segment has.
    let submits = (0..400).map(|n| rig.submit("1", say(&"z".repeat(n % 70))));
    futures_util::future::join_all(submits).await;
    let kept = is_counted(&rig).await;
    assert!((100..=114).contains(&kept), "{kept} events are kept");
    // A list that was lost is counted anew.
    let trim = ["LTRIM", "test{chat}:log:room", "-40", "-1"];
    let _: String = rig.server.command(&trim).await;
    rig.submit("1", say("after")).await;
    assert_eq!(is_counted(&rig).await, 41);
    for n in 0..100 {
        rig.submit("1", say(&n.to_string())).await;
    }
    let kept = is_counted(&rig).await;
    assert!((100..=114).contains(&kept), "{kept} events are kept");
    // One that an earlier version wrote says nothing of segments.
    let words = ["HDEL", "test{chat}:top:room", "m", "n", "s"];
    let _: u64 = rig.server.command(&words).await;
    rig.submit("1", say("later")).await;
    assert!((100..=114).contains(&is_counted(&rig).await));
    // Or it has added to one without a word of them.
    let words = "HSET test{chat}:top:room m  n 0 s 0";
    let words: Vec<_> = words.split(' ').collect();
    let _: u64 = rig.server.command(&words).await;
    for n in 0..30 {
        rig.submit("1", say(&n.to_string())).await;
    }
    let kept = is_counted(&rig).await;
    assert!((100..=114).contains(&kept), "{kept} events are kept");
}

#[tokio::test]
async fn a_log_is_bounded_by_bytes() {
    let args = QueueArgs {
        log_max_bytes: 50_000,
        ..QueueArgs::default()
    };
    let rig = Rig::on(TestRedis::start().await, args);
    let text = "x".repeat(10_000);
    for _ in 0..20 {
        rig.submit("1", say(&text)).await;
    }
    let kept: u64 = rig.server.command(&["LLEN", "test{chat}:log:room"]).await;
    assert!((1..=4).contains(&kept), "{kept} events are kept");
    let bytes: u64 = rig
        .server
        .command(&["HGET", "test{chat}:top:room", "b"])
        .await;
    assert!(
        bytes > 10_000 * kept && bytes <= 50_000,
        "{bytes} bytes in {kept} events"
    );
    // An event that is larger than the whole log is kept until the next one.
    rig.submit("1", say(&"y".repeat(60_000))).await;
    assert_eq!(is_counted(&rig).await, 1);
    // One that comes behind small ones does not keep these.
    for n in 0..3 {
        rig.submit("1", say(&n.to_string())).await;
    }
    assert_eq!(is_counted(&rig).await, 3);
    rig.submit("1", say(&"y".repeat(60_000))).await;
    assert_eq!(is_counted(&rig).await, 1);
}

#[tokio::test]
async fn finished_jobs_are_bounded_by_count_and_age() {
    let args = QueueArgs {
        keep_jobs: 10,
        ..QueueArgs::default()
    };
    let rig = Rig::on(TestRedis::start().await, args);
    let worker = rig.worker("w", Setup::default(), async |_, _| Ok("0".into()));
    for n in 0..60 {
        rig.submit(&n.to_string(), JobOptions::default()).await;
    }
    until("all are done and most forgotten", async || {
        let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
        (totals.completed == 60 && counts.completed == 10).then_some(())
    })
    .await;
    worker.stop().await;
    let jobs: Vec<String> = rig.server.command(&["KEYS", "test{chat}:job:*"]).await;
    let logs: Vec<String> = rig.server.command(&["KEYS", "test{chat}:log:*"]).await;
    assert_eq!((jobs.len(), logs.len()), (10, 10));

    let args = QueueArgs {
        keep_completed_secs: 0,
        ..rig.args.clone()
    };
    let swept = broker::Maintenance::new(rig.redis.clone(), args)
        .run(&rig.queue)
        .await
        .unwrap();
    assert_eq!(swept.pruned, 10);
    let jobs: Vec<String> = rig.server.command(&["KEYS", "test{chat}:job:*"]).await;
    assert!(jobs.is_empty());
}

#[tokio::test]
async fn every_key_that_is_not_a_job_a_line_or_a_counter_expires() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |_, _| Ok("0".into()));
    let id = rig.submit("1", JobOptions::default()).await;
    rig.until_state(id, protocol::JobState::Completed).await;
    worker.stop().await;
    let keys: Vec<String> = rig.server.command(&["KEYS", "test*"]).await;
    for key in keys {
        let ttl: i64 = rig.server.command(&["TTL", &key]).await;
        let counters = ["test{chat}:count", "test{chat}:kinds"];
        let fixed = ["test:queues", "test{chat}:wake"];
        // How many jobs are kept is bounded, and each is in the set of its state.
        let bounded = key == "test{chat}:completed" || key.contains(&id.to_string());
        assert!(
            ttl > 0 || bounded || counters.contains(&key.as_str()) || fixed.contains(&key.as_str()),
            "{key} stays for ever"
        );
    }
}

#[tokio::test]
async fn due_jobs_in_any_number_are_promoted() {
    let rig = Rig::new().await;
    let options = || JobOptions {
        delay_ms: 1,
        ..JobOptions::default()
    };
    let submits = (0..10_000).map(|_| {
        let producer = rig.producer.clone();
        let job = crate::rig::job("1", options());
        async move {
            producer
                .submit(broker::Producer::new_id(), job)
                .await
                .map(drop)
        }
    });
    futures_util::future::try_join_all(submits).await.unwrap();
    let swept = rig.maintenance().run(&rig.queue).await.unwrap();
    let (counts, _) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!(
        (swept.promoted, counts.waiting, counts.delayed),
        (10_000, 10_000, 0)
    );
}
