//! What an operator sees and does.

use broker::{Control, Done, JobError, Producer};
use protocol::{FailureCode, JobOptions, JobState};

use crate::rig::{Rig, Setup};

#[tokio::test]
async fn every_state_is_counted_and_listed() {
    let rig = Rig::new().await;
    assert!(rig.inspector.queues().await.unwrap().is_empty());
    let waiting = [
        rig.submit("1", JobOptions::default()).await,
        rig.submit("2", JobOptions::default()).await,
    ];
    let delayed = rig
        .submit(
            "3",
            JobOptions {
                delay_ms: 60_000,
                ..JobOptions::default()
            },
        )
        .await;
    assert_eq!(
        rig.inspector.queues().await.unwrap(),
        std::slice::from_ref(&rig.queue)
    );
    let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((counts.waiting, counts.delayed, totals.enqueued), (2, 1, 3));
    let list = |state| rig.inspector.list(&rig.queue, state, 10);
    let ids = |jobs: Vec<protocol::JobRecord>| jobs.iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(ids(list(JobState::Waiting).await.unwrap()), waiting);
    assert_eq!(
        ids(rig
            .inspector
            .list(&rig.queue, JobState::Waiting, 1)
            .await
            .unwrap()),
        waiting[..1]
    );
    assert_eq!(ids(list(JobState::Delayed).await.unwrap()), [delayed]);
    assert!(list(JobState::Failed).await.unwrap().is_empty());
    assert_eq!(
        rig.inspector.find(delayed).await.unwrap().unwrap().state,
        JobState::Delayed
    );
    assert!(
        rig.inspector
            .find(Producer::new_id())
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_failed_job_can_be_run_again_with_all_its_attempts() {
    let rig = Rig::new().await;
    let options = JobOptions {
        max_attempts: 1,
        ..JobOptions::default()
    };
    let id = rig.submit("1", options).await;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    let retry = async |id| control.retry(&rig.queue, &[id]).await.unwrap()[0];
    assert_eq!(retry(id).await, Done::Conflict(JobState::Waiting));
    assert_eq!(retry(Producer::new_id()).await, Done::NotFound);

    let worker = rig.worker("bad", Setup::default(), async |_, _| {
        Err(JobError::with_code(FailureCode::Panic, "boom").into())
    });
    rig.until_state(id, JobState::Failed).await;
    worker.stop().await;
    assert_eq!(retry(id).await, Done::Yes);
    let record = rig.get(id).await;
    assert_eq!(record.state, JobState::Waiting);
    assert!(record.error.is_none() && record.finished_at.is_none());
    let (counts, _) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((counts.waiting, counts.failed), (1, 0));

    let worker = rig.worker("good", Setup::default(), async |_, _| Ok("0".into()));
    assert_eq!(rig.until_state(id, JobState::Completed).await.attempt, 2);
    assert_eq!(retry(id).await, Done::Conflict(JobState::Completed));
    worker.stop().await;
}

#[tokio::test]
async fn a_counter_that_drifted_is_set_right_and_wakes_nobody() {
    let rig = Rig::new().await;
    let mut worker = rig.worker("w", Setup::default(), async |_, _| Ok("0".into()));
    worker.until_ready(true).await;
    for wrong in ["5", "-5"] {
        let _: i64 = rig
            .server
            .command(&["HSET", "test{chat}:count", "waiting", wrong])
            .await;
        let id = rig.submit("1", JobOptions::default()).await;
        rig.until_state(id, JobState::Completed).await;
        // Nothing waits any more, so no token is left behind for the next to find.
        let tokens: i64 = rig.server.command(&["LLEN", "test{chat}:wake"]).await;
        assert_eq!(tokens, 0);
        rig.maintenance().run(&rig.queue).await.unwrap();
        assert_eq!(rig.inspector.counts(&rig.queue).await.unwrap().0.waiting, 0);
    }
    worker.stop().await;
}
