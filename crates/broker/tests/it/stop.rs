//! Workers that stop, gracefully or at once: nothing is lost and no attempt is spent.

use std::sync::Arc;

use broker::JobError;
use protocol::{JobOptions, JobState};
use tokio::sync::{Semaphore, mpsc};

use crate::rig::{Rig, Setup};

#[tokio::test]
async fn a_stopped_worker_finishes_what_runs_and_hands_back_what_does_not() {
    let rig = Rig::new().await;
    let mut ids = Vec::new();
    for n in 0..8 {
        ids.push(rig.submit(&n.to_string(), JobOptions::default()).await);
    }
    // All are taken, two run: the rest is the buffer, since apalis polls no further than its service is ready.
    let (started, mut starts) = mpsc::channel(8);
    let finish = Arc::new(Semaphore::new(0));
    let worker = {
        let finish = Arc::clone(&finish);
        rig.worker(
            "w",
            Setup {
                capacity: 8,
                ..Setup::default()
            },
            move |_, _| {
                let (started, finish) = (started.clone(), Arc::clone(&finish));
                async move {
                    started.send(()).await?;
                    let _permit = finish.acquire().await?;
                    Ok("0".into())
                }
            },
        )
    };
    for _ in 0..8 {
        starts.recv().await.unwrap();
    }
    worker.soft.cancel();
    let late = rig.submit("9", JobOptions::default()).await;
    finish.add_permits(8);
    worker.end().await;
    for id in ids {
        assert_eq!(rig.get(id).await.state, JobState::Completed);
    }
    assert_eq!(rig.get(late).await.state, JobState::Waiting);
}

#[tokio::test]
async fn a_worker_that_must_stop_now_hands_back_without_spending_an_attempt() {
    let rig = Rig::new().await;
    let id = rig
        .submit(
            "1",
            JobOptions {
                max_attempts: 1,
                ..JobOptions::default()
            },
        )
        .await;
    let (started, mut starts) = mpsc::channel(1);
    let worker = rig.worker("first", Setup::default(), move |_, _| {
        let started = started.clone();
        async move {
            started.send(()).await?;
            std::future::pending().await
        }
    });
    starts.recv().await.unwrap();
    worker.hard.cancel();
    worker.end().await;
    let record = rig.get(id).await;
    assert_eq!(
        (record.state, record.attempt, record.handed_back),
        (JobState::Waiting, 1, 1)
    );

    let worker = rig.worker("second", Setup::default(), async |_, _| Ok("0".into()));
    let record = rig.until_state(id, JobState::Completed).await;
    assert_eq!(record.attempt, 2);
    worker.stop().await;
}

#[tokio::test]
async fn a_handler_that_gives_up_when_told_to_stop_spends_no_attempt() {
    let rig = Rig::new().await;
    for _ in 0..20 {
        rig.submit("1", JobOptions::default()).await;
    }
    let setup = Setup {
        capacity: 20,
        ..Setup::default()
    };
    let (started, mut starts) = mpsc::channel(20);
    let worker = rig.worker("w", setup, move |handle, _| {
        let started = started.clone();
        async move {
            started.send(()).await?;
            handle.cancelled().cancelled().await;
            Err(JobError::retry("told to stop").into())
        }
    });
    for _ in 0..20 {
        starts.recv().await.unwrap();
    }
    worker.hard.cancel();
    worker.end().await;
    let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!(
        (counts.waiting, counts.delayed, totals.handed_back),
        (20, 0, 20)
    );
}

#[tokio::test]
async fn what_a_worker_takes_while_it_stops_is_handed_back() {
    let rig = Rig::new().await;
    for n in 0..30 {
        rig.submit("1", JobOptions::default()).await;
        let setup = Setup {
            capacity: 100,
            ..Setup::default()
        };
        let worker = rig.worker(&format!("w{n}"), setup, async |_, _| Ok("0".into()));
        // Somewhere between its start and its first answer, a little later each time.
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
        worker.stop().await;
    }
    let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!(counts.active, 0);
    assert_eq!(counts.waiting + totals.completed, 30);
}
