//! Workers that are given what comes alone, stop, and lose messages.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use broker::{Control, testing::until};
use protocol::JobState;

use crate::{
    hand::{offers, outcome, until_offered},
    rig::{Rig, Setup, Worker},
};

fn counting(rig: &Rig, name: &str, runs: &Arc<AtomicUsize>) -> Worker {
    let runs = Arc::clone(runs);
    rig.worker(name, Setup::default(), move |_, _| {
        runs.fetch_add(1, Ordering::Relaxed);
        async { Ok("0".into()) }
    })
}

#[tokio::test]
async fn a_worker_that_stops_takes_its_offer_back() {
    let rig = Rig::new().await;
    let runs = Arc::<AtomicUsize>::default();
    let worker = counting(&rig, "w", &runs);
    until_offered(&rig, 1).await;
    let id = rig.submit("1", outcome()).await;
    rig.until_state(id, JobState::Completed).await;
    until_offered(&rig, 1).await;
    worker.stop().await;
    assert_eq!(offers(&rig).await, 0);
    let late = rig.submit("2", outcome()).await;
    assert_eq!(rig.get(late).await.state, JobState::Waiting);
}

#[tokio::test]
async fn what_comes_while_a_worker_stops_is_run_or_handed_back() {
    let rig = Rig::new().await;
    for round in 0..20 {
        let runs = Arc::<AtomicUsize>::default();
        let worker = counting(&rig, &format!("w{round}"), &runs);
        until_offered(&rig, 1).await;
        let (id, ()) = tokio::join!(rig.submit("1", outcome()), worker.stop());
        let record = rig.get(id).await;
        let spent = record.attempt - record.handed_back;
        match record.state {
            JobState::Completed => assert_eq!((spent, runs.load(Ordering::Relaxed)), (1, 1)),
            JobState::Waiting => {
                assert_eq!((spent, runs.load(Ordering::Relaxed)), (0, 0));
                let control = Control::new(rig.redis.clone(), rig.args.clone());
                control.cancel(&rig.queue, &[id], None).await.unwrap();
            }
            state => panic!("{state}"),
        }
    }
}

#[tokio::test]
async fn no_attempt_is_spent_where_messages_are_lost() {
    let rig = Rig::new().await;
    let runs = Arc::<AtomicUsize>::default();
    let worker = counting(&rig, "w", &runs);
    for n in 0..30 {
        until_offered(&rig, 1).await;
        let kill = ["CLIENT", "KILL", "TYPE", "pubsub"];
        let cut = rig.server.command_where::<u64>("test{chat}:offers", &kill);
        let (id, _) = if n % 2 == 0 {
            tokio::join!(rig.submit("1", outcome()), cut)
        } else {
            let killed = cut.await;
            (rig.submit("1", outcome()).await, killed)
        };
        let record = rig.until_state(id, JobState::Completed).await;
        assert_eq!((record.attempt, record.handed_back), (1, 0));
    }
    assert_eq!(runs.load(Ordering::Relaxed), 30);
    worker.stop().await;
}

#[tokio::test]
async fn one_of_several_partitions_offers_nothing() {
    let rig = Rig::new().await;
    let worker = counting(&rig, "w", &Arc::default());
    until_offered(&rig, 1).await;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    control.partition(&rig.queue, 2).await.unwrap();
    until_offered(&rig, 0).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_may_not_listen_asks_for_each_job() {
    let rig = Rig::new().await;
    let deny = ["ACL", "SETUSER", "default", "-subscribe", "-ssubscribe"];
    let key = "test{chat}:offers";
    let _: String = rig.server.command_where(key, &deny).await;
    let worker = counting(&rig, "w", &Arc::default());
    let refusals = async || -> Vec<HashMap<String, redis::Value>> {
        rig.server.command_where(key, &["ACL", "LOG"]).await
    };
    until("it is refused", async || {
        (!refusals().await.is_empty()).then_some(())
    })
    .await;
    for _ in 0..3 {
        let id = rig.submit("1", outcome()).await;
        let record = rig.until_state(id, JobState::Completed).await;
        assert_eq!((record.attempt, offers(&rig).await), (1, 0));
    }
    // It did not try again.
    let log = refusals().await;
    assert_eq!((log.len(), &log[0]["count"]), (1, &redis::Value::Int(1)));
    worker.stop().await;
}
