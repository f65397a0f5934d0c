//! In which order jobs are taken.

use std::sync::{Arc, Mutex};

use broker::testing::until;
use protocol::{JobOptions, Priority, Tenant};

use crate::rig::{Rig, Setup};

/// The payloads in the order in which one worker ran them, one at a time.
async fn order(rig: &Rig, jobs: usize) -> Vec<String> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let worker = {
        let seen = Arc::clone(&seen);
        rig.worker(
            "w",
            Setup {
                capacity: 1,
                ..Setup::default()
            },
            move |_, job| {
                seen.lock().unwrap().push(job.payload.get().to_owned());
                async { Ok("0".into()) }
            },
        )
    };
    until("all are done", async || {
        (rig.inspector.counts(&rig.queue).await.unwrap().0.completed == jobs as u64).then_some(())
    })
    .await;
    worker.stop().await;
    let seen = seen.lock().unwrap();
    seen.clone()
}

#[tokio::test]
async fn first_come_first_served() {
    let rig = Rig::new().await;
    for n in 0..20 {
        rig.submit(&n.to_string(), JobOptions::default()).await;
    }
    let expected: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    assert_eq!(order(&rig, 20).await, expected);
}

#[tokio::test]
async fn a_higher_priority_goes_first() {
    let rig = Rig::new().await;
    for (payload, priority) in [
        ("1", Priority::Low),
        ("2", Priority::Normal),
        ("3", Priority::High),
        ("4", Priority::High),
    ] {
        rig.submit(
            payload,
            JobOptions {
                priority,
                ..JobOptions::default()
            },
        )
        .await;
    }
    assert_eq!(order(&rig, 4).await, ["3", "4", "2", "1"]);
}

#[tokio::test]
async fn tenants_take_turns() {
    let rig = Rig::new().await;
    let of = |tenant| JobOptions {
        tenant: Tenant::new(tenant).unwrap(),
        ..JobOptions::default()
    };
    for n in 0..10 {
        rig.submit(&format!("\"busy{n}\""), of("busy")).await;
    }
    rig.submit("\"quiet0\"", of("quiet")).await;
    rig.submit("\"quiet1\"", of("quiet")).await;
    let order = order(&rig, 12).await;
    assert_eq!(
        order[..4],
        ["\"busy0\"", "\"quiet0\"", "\"busy1\"", "\"quiet1\""]
    );
}

#[tokio::test]
async fn a_batch_is_shared_between_tenants() {
    let rig = Rig::new().await;
    let of = |tenant| JobOptions {
        tenant: Tenant::new(tenant).unwrap(),
        ..JobOptions::default()
    };
    for n in 0..50 {
        rig.submit(&n.to_string(), of("busy")).await;
    }
    for n in 50..55 {
        rig.submit(&n.to_string(), of("quiet")).await;
    }
    // Ten at a time and none ever finishes: what is taken is half of each.
    let worker = rig.worker(
        "w",
        Setup {
            capacity: 10,
            ..Setup::default()
        },
        async |_, _| std::future::pending().await,
    );
    until("ten are active", async || {
        (rig.inspector.counts(&rig.queue).await.unwrap().0.active == 10).then_some(())
    })
    .await;
    let active = rig
        .inspector
        .list(&rig.queue, protocol::JobState::Active, 20)
        .await
        .unwrap();
    let quiet = active
        .iter()
        .filter(|job| job.tenant.as_str() == "quiet")
        .count();
    assert_eq!(quiet, 5);
    worker.hard.cancel();
    worker.end().await;
    // Handed back, nothing is lost.
    let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!(
        (counts.waiting, counts.active, totals.handed_back),
        (55, 0, 10)
    );
}
