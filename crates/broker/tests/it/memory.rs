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
    let kept: u64 = rig.server.command(&["LLEN", "test{chat}:log:room"]).await;
    assert!(kept >= 100);
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
    let kept: u64 = rig.server.command(&["LLEN", "test{chat}:log:room"]).await;
    assert_eq!(kept, 1);
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
