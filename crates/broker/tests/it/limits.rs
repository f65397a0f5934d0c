//! What an operator sets for a queue: pause, caps and rates, for all and for single tenants.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use broker::{
    Control, Done, Producer, QueueSettings, Rate, SubmitError, TenantLimits, testing::until,
};
use protocol::{ErrorCode, JobOptions, JobState, Tenant};
use tokio::sync::Semaphore;

use crate::rig::{Rig, Setup, Worker, job};

fn of(tenant: &str) -> JobOptions {
    JobOptions {
        tenant: Tenant::new(tenant).unwrap(),
        ..JobOptions::default()
    }
}

async fn set(rig: &Rig, settings: QueueSettings) -> Control {
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    control.set(&rig.queue, &settings).await.unwrap();
    assert_eq!(rig.inspector.settings(&rig.queue).await.unwrap(), settings);
    control
}

/// A worker whose jobs run until permits are there, and how many run at most at a time.
fn gated(rig: &Rig, name: &str) -> (Worker, Arc<Semaphore>) {
    let finish = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&finish);
    let worker = rig.worker(name, Setup::default(), move |_, _| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await?.forget();
            Ok("0".into())
        }
    });
    (worker, finish)
}

async fn active(rig: &Rig) -> u64 {
    rig.inspector.counts(&rig.queue).await.unwrap().0.active
}

async fn until_active(rig: &Rig, n: u64) {
    until(&format!("{n} are active"), async || {
        (active(rig).await == n).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_paused_queue_takes_jobs_and_runs_none() {
    let rig = Rig::new().await;
    let control = set(
        &rig,
        QueueSettings {
            paused: true,
            ..QueueSettings::default()
        },
    )
    .await;
    let mut worker = rig.worker("w", Setup::default(), async |_, _| Ok("0".into()));
    worker.until_ready(true).await;
    let id = rig.submit("1", JobOptions::default()).await;
    let delayed = JobOptions {
        delay_ms: 1,
        ..JobOptions::default()
    };
    let later = rig.submit("1", delayed).await;
    // Promoted, and not taken: the worker has looked since.
    until("it is in line", async || {
        rig.maintenance().run(&rig.queue).await.unwrap();
        (rig.get(later).await.state == JobState::Waiting).then_some(())
    })
    .await;
    let tokens: i64 = rig.server.command(&["LLEN", "test{chat}:wake"]).await;
    assert_eq!((tokens, rig.get(id).await.attempt), (0, 0));
    control.pause(&rig.queue, false).await.unwrap();
    rig.until_state(id, JobState::Completed).await;
    rig.until_state(later, JobState::Completed).await;
    worker.stop().await;
}

#[tokio::test]
async fn no_more_are_active_than_may_over_all_workers() {
    let rig = Rig::new().await;
    let settings = QueueSettings {
        max_active: Some(3),
        ..QueueSettings::default()
    };
    set(&rig, settings).await;
    let (a, finish) = gated(&rig, "a");
    let (b, other) = gated(&rig, "b");
    for _ in 0..9 {
        rig.submit("1", JobOptions::default()).await;
    }
    until_active(&rig, 3).await;
    // As one ends, the next begins, whichever worker it is on.
    let mut ended = 0;
    while ended < 9 {
        finish.add_permits(1);
        other.add_permits(1);
        until("another ends", async || {
            let (counts, _) = rig.inspector.counts(&rig.queue).await.unwrap();
            assert!(counts.active <= 3, "{counts:?}");
            (counts.completed > ended).then(|| ended = counts.completed)
        })
        .await;
    }
    a.stop().await;
    b.stop().await;
}

#[tokio::test]
async fn a_tenant_at_its_cap_leaves_room_for_others() {
    let rig = Rig::new().await;
    let settings = QueueSettings {
        tenants: TenantLimits {
            max_active: Some(2),
            ..TenantLimits::default()
        },
        ..QueueSettings::default()
    };
    let control = set(&rig, settings).await;
    // One tenant may have more.
    let four = TenantLimits {
        max_active: Some(4),
        ..TenantLimits::default()
    };
    let big = Tenant::new("big").unwrap();
    control
        .set_tenant(&rig.queue, &big, Some(&four))
        .await
        .unwrap();
    for _ in 0..6 {
        rig.submit("1", of("a")).await;
        rig.submit("1", of("b")).await;
        rig.submit("1", of("big")).await;
    }
    let (worker, finish) = gated(&rig, "w");
    until_active(&rig, 8).await;
    let tenants = rig.inspector.tenants(&rig.queue, 10).await.unwrap();
    let shown: Vec<_> = tenants
        .iter()
        .map(|tenant| (tenant.tenant.as_str(), tenant.waiting, tenant.active))
        .collect();
    assert_eq!(shown, [("a", 4, 2), ("b", 4, 2), ("big", 2, 4)]);
    assert_eq!(tenants[2].limits, Some(four));
    finish.add_permits(18);
    until("all are done", async || {
        let (counts, _) = rig.inspector.counts(&rig.queue).await.unwrap();
        (counts.completed == 18).then_some(())
    })
    .await;
    // Nobody is held who has nothing any more; only who has limits is known.
    let tenants = rig.inspector.tenants(&rig.queue, 10).await.unwrap();
    assert_eq!(tenants.len(), 1);
    control.set_tenant(&rig.queue, &big, None).await.unwrap();
    assert!(
        rig.inspector
            .tenants(&rig.queue, 10)
            .await
            .unwrap()
            .is_empty()
    );
    worker.stop().await;
}

/// The times at which jobs started, in milliseconds by Redis' clock, sorted.
async fn starts(rig: &Rig, n: u64) -> Vec<u64> {
    until("all are done", async || {
        let (counts, _) = rig.inspector.counts(&rig.queue).await.unwrap();
        (counts.completed == n).then_some(())
    })
    .await;
    let records = rig.inspector.list(&rig.queue, JobState::Completed, 1_000);
    let mut starts: Vec<_> = records
        .await
        .unwrap()
        .iter()
        .map(|record| record.started_at.unwrap())
        .collect();
    starts.sort_unstable();
    starts
}

/// No window of the rate's length holds more starts than it allows, beyond the burst that a full bucket gives.
fn within(starts: &[u64], rate: Rate) {
    let burst = usize::try_from(rate.jobs).unwrap();
    for (i, start) in starts.iter().enumerate().skip(burst) {
        let since = start - starts[0];
        let allowed = rate.jobs + since * rate.jobs / rate.per_ms + 1;
        assert!(i as u64 <= allowed, "{i} after {since} ms: {starts:?}");
    }
    let took = starts[starts.len() - 1] - starts[0];
    let least = (starts.len() - burst) as u64 * rate.per_ms / rate.jobs;
    assert!(took + 20 >= least, "{took} < {least}");
}

#[tokio::test]
async fn a_rate_holds_over_all_workers() {
    let rig = Rig::new().await;
    let rate: Rate = "5/100ms".parse().unwrap();
    let settings = QueueSettings {
        rate: Some(rate),
        ..QueueSettings::default()
    };
    set(&rig, settings).await;
    let a = rig.worker("a", Setup::default(), async |_, _| Ok("0".into()));
    let b = rig.worker("b", Setup::default(), async |_, _| Ok("0".into()));
    for _ in 0..25 {
        rig.submit("1", JobOptions::default()).await;
    }
    within(&starts(&rig, 25).await, rate);
    a.stop().await;
    b.stop().await;
}

#[tokio::test]
async fn a_tenants_rate_does_not_slow_the_others() {
    let rig = Rig::new().await;
    let rate: Rate = "2/200ms".parse().unwrap();
    let settings = QueueSettings {
        tenants: TenantLimits {
            rate: Some(rate),
            ..TenantLimits::default()
        },
        ..QueueSettings::default()
    };
    let control = set(&rig, settings).await;
    let free = TenantLimits {
        rate: Some("1000/s".parse().unwrap()),
        ..TenantLimits::default()
    };
    let fast = Tenant::new("fast").unwrap();
    control
        .set_tenant(&rig.queue, &fast, Some(&free))
        .await
        .unwrap();
    for _ in 0..8 {
        rig.submit("1", of("slow")).await;
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let worker = {
        let seen = Arc::clone(&seen);
        rig.worker("w", Setup::default(), move |_, job| {
            seen.lock().unwrap().push(job.options.tenant.to_string());
            async { Ok("0".into()) }
        })
    };
    for _ in 0..20 {
        rig.submit("1", of("fast")).await;
    }
    until("all are done", async || {
        (seen.lock().unwrap().len() == 28).then_some(())
    })
    .await;
    let order = seen.lock().unwrap().clone();
    // Its last ones came after all of the other's.
    assert!(
        order[25..].iter().all(|tenant| tenant == "slow"),
        "{order:?}"
    );
    let starts = starts(&rig, 28).await;
    assert!(starts[27] - starts[0] >= 500, "{starts:?}");
    worker.stop().await;
}

#[tokio::test]
async fn a_full_queue_says_so_and_when_to_come_again() {
    let rig = Rig::new().await;
    set(
        &rig,
        QueueSettings {
            max_waiting: Some(3),
            tenants: TenantLimits {
                max_waiting: Some(2),
                ..TenantLimits::default()
            },
            ..QueueSettings::default()
        },
    )
    .await;
    let submit = async |tenant: &str, delay_ms| {
        let options = JobOptions {
            delay_ms,
            ..of(tenant)
        };
        let id = Producer::new_id();
        rig.producer.submit(id, job("1", options)).await
    };
    submit("a", 0).await.unwrap();
    // What is delayed counts too.
    let delayed = submit("a", 60_000).await.unwrap().id;
    let full = submit("a", 0).await.unwrap_err();
    assert_eq!(full.code(), ErrorCode::QueueFull);
    assert!(matches!(full, SubmitError::QueueFull { retry_after } if retry_after > Duration::ZERO));
    submit("b", 0).await.unwrap();
    assert_eq!(
        submit("c", 0).await.unwrap_err().code(),
        ErrorCode::QueueFull
    );
    let (counts, totals) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!((counts.waiting, counts.delayed), (2, 1));
    assert_eq!((totals.enqueued, totals.refused), (3, 2));
    // Whatever makes room makes room.
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    let done = control.cancel(&rig.queue, &[delayed], None).await.unwrap();
    assert_eq!(done, [Done::Yes]);
    submit("a", 0).await.unwrap();
}

#[tokio::test]
async fn a_queue_is_full_by_bytes_too() {
    let rig = Rig::new().await;
    let settings = QueueSettings {
        max_bytes: Some(1_000),
        ..QueueSettings::default()
    };
    set(&rig, settings).await;
    let text = format!("\"{}\"", "x".repeat(398));
    let submit = async || {
        let id = Producer::new_id();
        rig.producer
            .submit(id, job(&text, JobOptions::default()))
            .await
    };
    submit().await.unwrap();
    submit().await.unwrap();
    assert_eq!(submit().await.unwrap_err().code(), ErrorCode::QueueFull);
    // A small one still fits.
    rig.submit("1", JobOptions::default()).await;
    let worker = rig.worker("w", Setup::default(), async |_, _| Ok("0".into()));
    until("all are done", async || {
        let (counts, _) = rig.inspector.counts(&rig.queue).await.unwrap();
        (counts.completed == 3).then_some(())
    })
    .await;
    let bytes: String = rig
        .server
        .command(&["HGET", "test{chat}:count", "bytes"])
        .await;
    assert_eq!(bytes, "0");
    submit().await.unwrap();
    worker.stop().await;
}

#[tokio::test]
async fn a_drained_queue_has_nothing_that_waits() {
    let rig = Rig::new().await;
    let settings = QueueSettings {
        paused: true,
        ..QueueSettings::default()
    };
    let control = set(&rig, settings).await;
    for n in 0..450 {
        let delay_ms = if n < 30 { 60_000 } else { 0 };
        let options = JobOptions {
            delay_ms,
            ..of(["a", "b", "c"][n % 3])
        };
        rig.submit("1", options).await;
    }
    let drain = async |state| {
        let mut scan = rig.inspector.scan(&rig.queue, state);
        let mut sum = 0;
        while let Some(page) = scan.page().await.unwrap() {
            let ids: Vec<_> = page.iter().map(|job| job.id).collect();
            let done = control.withdraw(&rig.queue, &ids).await.unwrap();
            sum += done.iter().filter(|done| **done == Done::Yes).count();
        }
        sum
    };
    assert_eq!(drain(JobState::Waiting).await, 420);
    assert_eq!(drain(JobState::Delayed).await, 30);
    let (counts, _) = rig.inspector.counts(&rig.queue).await.unwrap();
    assert_eq!(
        (counts.waiting, counts.delayed, counts.cancelled),
        (0, 0, 450)
    );
}
