//! Cancelling jobs, in every state.

use std::time::{Duration, Instant};

use broker::{Control, Done, Producer, StopReason, testing::until};
use protocol::{EventType, JobId, JobOptions, JobState, Tenant};
use tokio::sync::mpsc;

use crate::rig::{Rig, Setup};

fn control(rig: &Rig) -> Control {
    Control::new(rig.redis.clone(), rig.args.clone())
}

async fn cancel(rig: &Rig, id: JobId) -> Done {
    control(rig).cancel(&rig.queue, &[id], None).await.unwrap()[0]
}

/// The types of the events in a job's own log.
async fn events(rig: &Rig, id: JobId) -> Vec<String> {
    let event = |(_, json): &(u64, String)| {
        let event: protocol::Event<'_> = serde_json::from_str(json).unwrap();
        event.event.as_str().to_owned()
    };
    rig.events(&id).await.iter().map(event).collect()
}

#[tokio::test]
async fn what_waits_is_cancelled_at_once() {
    let rig = Rig::new().await;
    let waiting = rig.submit("1", JobOptions::default()).await;
    let delayed = JobOptions {
        delay_ms: 60_000,
        ttl_ms: Some(60_000),
        ..JobOptions::default()
    };
    let delayed = rig.submit("2", delayed).await;
    for id in [waiting, delayed] {
        assert_eq!(cancel(&rig, id).await, Done::Yes);
        let record = rig.get(id).await;
        assert_eq!(record.state, JobState::Cancelled);
        assert!(record.finished_at.is_some());
        assert_eq!(events(&rig, id).await, ["queued", "cancelled"]);
        assert_eq!(cancel(&rig, id).await, Done::Conflict(JobState::Cancelled));
    }
    assert_eq!(cancel(&rig, Producer::new_id()).await, Done::NotFound);
    let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!(
        (counts.waiting, counts.delayed, counts.cancelled),
        (0, 0, 2)
    );
    assert_eq!(totals.cancelled, 2);
    let left: Vec<String> = rig.server.command(&["KEYS", "test{chat}:wait*"]).await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn only_the_owner_sees_a_job() {
    let rig = Rig::new().await;
    let options = JobOptions {
        tenant: Tenant::new("ada").unwrap(),
        ..JobOptions::default()
    };
    let id = rig.submit("1", options).await;
    for (owner, done) in [("bob", Done::NotFound), ("ada", Done::Yes)] {
        let owner = Tenant::new(owner).unwrap();
        let answer = control(&rig).cancel(&rig.queue, &[id], Some(&owner)).await;
        assert_eq!(answer.unwrap(), [done]);
    }
}

#[tokio::test]
async fn a_running_handler_is_told_within_a_second() {
    let rig = Rig::new().await;
    let (told, mut tellings) = mpsc::channel(1);
    // The lease is so long that a renewal would come far too late to tell.
    let setup = Setup {
        lease: Duration::from_secs(600),
        ..Setup::default()
    };
    let worker = rig.worker("w", setup, move |handle, _| {
        let told = told.clone();
        async move {
            handle.cancelled().cancelled().await;
            told.send((Instant::now(), handle.stopped())).await?;
            Err("told to end".into())
        }
    });
    let id = rig.submit("1", JobOptions::default()).await;
    rig.until_state(id, JobState::Active).await;
    let asked = Instant::now();
    assert_eq!(cancel(&rig, id).await, Done::Requested);
    let (at, why) = tellings.recv().await.unwrap();
    assert_eq!(why, Some(StopReason::Cancelled));
    assert!(at - asked < Duration::from_secs(1), "{:?}", at - asked);
    let record = rig.until_state(id, JobState::Cancelled).await;
    assert!(record.cancel_at.is_some());
    assert_eq!(events(&rig, id).await, ["queued", "started", "cancelled"]);
    worker.stop().await;
}

#[tokio::test]
async fn a_handler_that_ignores_it_is_abandoned_after_its_grace() {
    let rig = Rig::new().await;
    let setup = Setup {
        capacity: 1,
        grace: Duration::from_millis(50),
        ..Setup::default()
    };
    let worker = rig.worker("w", setup, async |_, job| match job.payload.get() {
        "1" => std::future::pending().await,
        _ => Ok("0".into()),
    });
    let id = rig.submit("1", JobOptions::default()).await;
    rig.until_state(id, JobState::Active).await;
    cancel(&rig, id).await;
    rig.until_state(id, JobState::Cancelled).await;
    let next = rig.submit("2", JobOptions::default()).await;
    rig.until_state(next, JobState::Completed).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_result_that_comes_all_the_same_counts() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |handle, _| {
        handle.cancelled().cancelled().await;
        Ok("\"done\"".into())
    });
    let id = rig.submit("1", JobOptions::default()).await;
    rig.until_state(id, JobState::Active).await;
    cancel(&rig, id).await;
    let record = rig.until_state(id, JobState::Completed).await;
    assert_eq!(record.result.unwrap().get(), "\"done\"");
    assert_eq!(events(&rig, id).await, ["queued", "started", "completed"]);
    worker.stop().await;
}

#[tokio::test]
async fn a_race_with_completion_has_one_winner() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |_, _| {
        tokio::task::yield_now().await;
        Ok("0".into())
    });
    let mut ends = [0, 0];
    for _ in 0..100 {
        let id = rig.submit("1", JobOptions::default()).await;
        cancel(&rig, id).await;
        let state = until("it is over", async || {
            let state = rig.get(id).await.state;
            state.is_terminal().then_some(state)
        })
        .await;
        ends[usize::from(state == JobState::Cancelled)] += 1;
        let events = events(&rig, id).await;
        let terminal = |name: &&String| {
            [
                EventType::Completed,
                EventType::Failed,
                EventType::Cancelled,
            ]
            .iter()
            .any(|event| event.as_str() == name.as_str())
        };
        assert_eq!(events.iter().filter(terminal).count(), 1, "{events:?}");
        assert_eq!(events.last().unwrap(), state.as_str());
    }
    println!("completed {}, cancelled {}", ends[0], ends[1]);
    worker.stop().await;
}

#[tokio::test]
async fn a_job_whose_worker_died_before_it_heard_is_cancelled() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |_, _| {
        std::future::pending().await
    });
    let id = rig.submit("1", JobOptions::default()).await;
    rig.until_state(id, JobState::Active).await;
    // Its worker is another that never answers.
    rig.rewrite(id, "worker=w", "worker=gone").await;
    assert_eq!(cancel(&rig, id).await, Done::Requested);
    let _: i64 = rig
        .server
        .command(&["ZADD", "test{chat}:active", "1", &id.to_string()])
        .await;
    rig.maintenance().run(&rig.queue).await.unwrap();
    assert_eq!(rig.get(id).await.state, JobState::Cancelled);
    worker.hard.cancel();
    worker.end().await;
}

#[tokio::test]
async fn a_lost_message_is_made_good_by_the_next_beat() {
    let rig = Rig::new().await;
    let setup = Setup {
        lease: Duration::from_millis(600),
        ..Setup::default()
    };
    let worker = rig.worker("w", setup, async |handle, _| {
        handle.cancelled().cancelled().await;
        Err("told to end".into())
    });
    let id = rig.submit("1", JobOptions::default()).await;
    rig.until_state(id, JobState::Active).await;
    // The request is there, and no message.
    rig.rewrite(id, ";", " cancel=1;").await;
    rig.until_state(id, JobState::Cancelled).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_cancelled_job_is_not_handed_back() {
    let rig = Rig::new().await;
    let worker = rig.worker("w", Setup::default(), async |_, _| {
        std::future::pending().await
    });
    let id = rig.submit("1", JobOptions::default()).await;
    rig.until_state(id, JobState::Active).await;
    cancel(&rig, id).await;
    worker.hard.cancel();
    worker.end().await;
    assert_eq!(rig.get(id).await.state, JobState::Cancelled);
}
