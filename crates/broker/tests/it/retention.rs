//! How much of what is over is kept, and how it is deleted.

use broker::{Control, Done, Producer, QueueArgs, testing::TestRedis, testing::until};
use protocol::{EventLevel, FailureCode, JobOptions, JobState, Topic};

use crate::rig::{Rig, Setup};

async fn bytes(rig: &Rig, state: JobState) -> i64 {
    let field = format!("{state}_bytes");
    let bytes: Option<i64> = rig
        .server
        .command(&["HGET", "test{chat}:count", &field])
        .await;
    bytes.unwrap_or(0)
}

#[tokio::test]
async fn what_completed_is_bounded_by_bytes() {
    let args = QueueArgs {
        keep_bytes: 100_000,
        ..QueueArgs::default()
    };
    let rig = Rig::on(TestRedis::start().await, args);
    let result = format!("\"{}\"", "x".repeat(10_000));
    let worker = rig.worker("w", Setup::default(), move |_, _| {
        let result = result.clone();
        async move { Ok(result) }
    });
    let mut last = None;
    for _ in 0..40 {
        last = Some(rig.submit("1", JobOptions::default()).await);
    }
    until("all are done", async || {
        let (_, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
        (totals.completed == 40).then_some(())
    })
    .await;
    worker.stop().await;
    // Also where no manager runs.
    let kept = bytes(&rig, JobState::Completed).await;
    assert!(kept <= 100_000, "{kept}");
    rig.maintenance().run(&rig.queue).await.unwrap();
    let (counts, _) = rig.inspector.counts(&rig.queue).await.unwrap();
    // A job takes its result once: its log leaves the end to it.
    assert!((7..=9).contains(&counts.completed), "{counts:?}");
    let kept = bytes(&rig, JobState::Completed).await;
    assert!((50_000..=100_000).contains(&kept), "{kept}");
    // The newest are kept, and when all are gone nothing is counted.
    assert_eq!(rig.get(last.unwrap()).await.state, JobState::Completed);
    let none = QueueArgs {
        keep_completed_secs: 0,
        ..rig.args.clone()
    };
    let maintenance = broker::Maintenance::new(rig.redis.clone(), none);
    maintenance.run(&rig.queue).await.unwrap();
    assert_eq!(bytes(&rig, JobState::Completed).await, 0);
    let jobs: Vec<String> = rig.server.command(&["KEYS", "test{chat}:job:*"]).await;
    assert!(jobs.is_empty(), "{jobs:?}");
}

#[tokio::test]
async fn the_failed_and_the_cancelled_are_bounded_too() {
    let args = QueueArgs {
        keep_jobs: 10,
        ..QueueArgs::default()
    };
    let rig = Rig::on(TestRedis::start().await, args);
    let worker = rig.worker("w", Setup::default(), async |_, _| {
        Err(broker::JobError::fatal(FailureCode::Error, "no").into())
    });
    for _ in 0..60 {
        rig.submit("1", JobOptions::default()).await;
    }
    until("all have failed and most are forgotten", async || {
        let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
        (totals.failed == 60 && counts.failed == 10).then_some(())
    })
    .await;
    worker.stop().await;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    for _ in 0..60 {
        let id = rig.submit("1", JobOptions::default()).await;
        control.cancel(&rig.queue, &[id], None).await.unwrap();
    }
    let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((counts.cancelled, totals.cancelled), (10, 60));
    let jobs: Vec<String> = rig.server.command(&["KEYS", "test{chat}:job:*"]).await;
    assert_eq!(jobs.len(), 20);
}

#[tokio::test]
async fn a_hash_that_expired_by_itself_leaves_no_bytes_behind() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |_, _| Ok("0".into()));
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(rig.submit("1", JobOptions::default()).await);
    }
    for id in &ids {
        rig.until_state(*id, JobState::Completed).await;
    }
    worker.stop().await;
    let _: i64 = rig
        .server
        .command(&["DEL", &format!("test{{chat}}:job:{}", ids[1])])
        .await;
    let none = QueueArgs {
        keep_completed_secs: 0,
        ..rig.args.clone()
    };
    let maintenance = broker::Maintenance::new(rig.redis.clone(), none);
    maintenance.run(&rig.queue).await.unwrap();
    assert_eq!(bytes(&rig, JobState::Completed).await, 0);
}

#[tokio::test]
async fn a_deleted_job_leaves_nothing_and_a_running_one_is_left_alone() {
    let rig = Rig::new().await;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    let delete = async |id| control.delete(&rig.queue, &[id]).await.unwrap()[0];
    let waiting = rig.submit("1", JobOptions::default()).await;
    assert_eq!(delete(waiting).await, Done::Yes);
    assert_eq!(delete(waiting).await, Done::NotFound);
    let worker = rig.worker("w", Setup::default(), async |_, job| {
        match job.payload.get() {
            "1" => Ok("0".into()),
            _ => std::future::pending().await,
        }
    });
    let done = rig.submit("1", JobOptions::default()).await;
    rig.until_state(done, JobState::Completed).await;
    assert_eq!(delete(done).await, Done::Yes);
    let runs = rig.submit("2", JobOptions::default()).await;
    rig.until_state(runs, JobState::Active).await;
    assert_eq!(delete(runs).await, Done::Conflict(JobState::Active));
    assert_eq!(delete(Producer::new_id()).await, Done::NotFound);
    let left: Vec<String> = rig.server.command(&["KEYS", "test{chat}:*:01*"]).await;
    assert_eq!(left.len(), 2, "what runs is there, and its log: {left:?}");
    assert_eq!(bytes(&rig, JobState::Completed).await, 0);
    let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((counts.completed, totals.deleted), (0, 2));
    worker.hard.cancel();
    worker.end().await;
}

#[tokio::test]
async fn a_new_attempt_says_where_its_output_starts() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |handle, _| {
        let chunk = |text: &str| serde_json::value::to_raw_value(text).unwrap();
        handle
            .emit(protocol::EventType::Chunk, chunk("half"))
            .await?;
        if handle.attempt() == 1 {
            let pause = std::time::Duration::ZERO;
            return Err(broker::JobError::retry_after("again", pause).into());
        }
        handle
            .emit(protocol::EventType::Chunk, chunk("way"))
            .await?;
        Ok("0".into())
    });
    let id = rig.submit("1", JobOptions::default()).await;
    let record = rig.until_state(id, JobState::Completed).await;
    worker.stop().await;
    let entries = rig.events(&id).await;
    let mut output = Vec::new();
    for (offset, json) in &entries {
        let offset = *offset;
        let event: protocol::Event<'_> = serde_json::from_str(json).unwrap();
        match event.event {
            // A client drops what an earlier attempt put out.
            protocol::EventType::Started => {
                assert_eq!(event.from, Some(offset));
                output.clear();
            }
            protocol::EventType::Chunk => output.push((offset, event.data.unwrap().get())),
            _ => assert_eq!(event.from, None),
        }
    }
    let texts: Vec<_> = output.iter().map(|(_, text)| *text).collect();
    assert_eq!(texts, ["\"half\"", "\"way\""]);
    // A client that comes late learns it from the job.
    assert_eq!(record.output_from.unwrap() + 1, output[0].0);
}

#[tokio::test]
async fn a_shared_topic_is_not_counted_with_its_jobs() {
    let rig = Rig::new().await;
    let options = JobOptions {
        topic: Some(Topic::new("room").unwrap()),
        events: EventLevel::Outcome,
        ..JobOptions::default()
    };
    let worker = rig.worker("w", Setup::default(), async |_, _| Ok("0".into()));
    let id = rig.submit("1", options).await;
    rig.until_state(id, JobState::Completed).await;
    worker.stop().await;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    control.delete(&rig.queue, &[id]).await.unwrap();
    let kept: i64 = rig.server.command(&["LLEN", "test{chat}:log:room"]).await;
    assert_eq!((kept, bytes(&rig, JobState::Completed).await), (1, 0));
}

#[tokio::test]
async fn how_a_job_ended_is_told_for_as_long_as_its_result_is_kept() {
    let args = QueueArgs {
        log_ttl_secs: 10,
        keep_completed_secs: 1_000,
        ..QueueArgs::default()
    };
    let rig = Rig::on(TestRedis::start().await, args);
    let worker = rig.worker("w", Setup::default(), async |_, _| Ok("0".into()));
    let id = rig.submit("1", JobOptions::default()).await;
    rig.until_state(id, JobState::Completed).await;
    worker.stop().await;
    for key in ["job", "log"] {
        let key = format!("test{{chat}}:{key}:{id}");
        let left: i64 = rig.server.command(&["PTTL", &key]).await;
        assert_eq!(left, -1, "{key} goes by itself");
    }
    let told: Vec<_> = rig.events(&id).await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[2].1.contains("completed"), "{told:?}");
    // Together with the job all of it goes.
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    control.delete(&rig.queue, &[id]).await.unwrap();
    let left: Vec<String> = rig.server.command(&["KEYS", &format!("*{id}*")]).await;
    assert!(left.is_empty(), "{left:?}");
}
