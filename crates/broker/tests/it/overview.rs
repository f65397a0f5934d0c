//! What an operator asks of a whole queue: filtered lists, errors put together, how it does, and what it did.

use std::collections::HashSet;

use broker::{Browse, Control, Done, JobError, JobFilter, JobPlace, MINUTE_MS};
use protocol::{FailureCode, JobId, JobOptions, JobRecord, JobState, Priority};

use crate::rig::{Rig, Setup};

async fn browse(rig: &Rig, state: JobState, filter: &JobFilter, limit: usize) -> Vec<JobRecord> {
    let browse = Browse {
        queue: &rig.queue,
        states: &[state],
        filter,
        limit,
    };
    let (mut jobs, mut after) = (Vec::new(), None::<JobPlace>);
    loop {
        let page = rig.inspector.browse(&browse, after).await.unwrap().unwrap();
        jobs.extend(page.jobs);
        after = page.next;
        if after.is_none() {
            return jobs;
        }
    }
}

fn of(tenant: &str) -> JobOptions {
    JobOptions {
        max_attempts: 1,
        tenant: tenant.parse().unwrap(),
        ..JobOptions::default()
    }
}

/// Jobs that failed in different ways, oldest first.
async fn failed(rig: &Rig) -> Vec<JobId> {
    let worker = rig.worker("bad", Setup::default(), async |_, job| {
        let text = job.payload.get();
        if text == "0" {
            return Ok("1".to_owned());
        }
        let code = if text.len() > 1 {
            FailureCode::Panic
        } else {
            FailureCode::Error
        };
        Err(JobError::with_code(code, format!("no route to host {text}")).into())
    });
    let mut ids = Vec::new();
    for (payload, tenant) in [("1", "ann"), ("2", "ann"), ("33", "ann"), ("4", "bob")] {
        let id = rig.submit(payload, of(tenant)).await;
        rig.until_state(id, JobState::Failed).await;
        ids.push(id);
    }
    let done = rig.submit("0", of("ann")).await;
    rig.until_state(done, JobState::Completed).await;
    worker.stop().await;
    ids
}

#[tokio::test]
async fn jobs_are_listed_by_what_is_asked() {
    let rig = Rig::new().await;
    let ids = failed(&rig).await;
    let list = async |change: &dyn Fn(&mut JobFilter)| {
        let mut filter = JobFilter::default();
        change(&mut filter);
        let jobs = browse(&rig, JobState::Failed, &filter, 2).await;
        jobs.iter().map(|job| job.id).collect::<Vec<_>>()
    };
    let newest_first: Vec<_> = ids.iter().rev().copied().collect();
    assert_eq!(list(&|_| {}).await, newest_first);
    assert_eq!(
        list(&|filter| filter.tenant = "bob".parse().ok()).await,
        [ids[3]]
    );
    assert_eq!(
        list(&|filter| filter.error = Some(FailureCode::Panic)).await,
        [ids[2]]
    );
    assert_eq!(
        list(&|filter| filter.text = Some("HOST 33".into())).await,
        [ids[2]]
    );
    let second = rig.get(ids[1]).await.finished_at.unwrap();
    assert_eq!(list(&|filter| filter.until = Some(second)).await, ids[..1]);
    assert_eq!(
        list(&|filter| filter.from = Some(second)).await,
        newest_first[..3]
    );
    // What waits is listed for all tenants, too.
    let waiting: HashSet<_> = [
        rig.submit("5", of("ann")).await,
        rig.submit("6", of("bob")).await,
        rig.submit("7", of("cem")).await,
    ]
    .into();
    let jobs = browse(&rig, JobState::Waiting, &JobFilter::default(), 1).await;
    assert_eq!(jobs.len(), 3);
    assert_eq!(
        jobs.iter().map(|job| job.id).collect::<HashSet<_>>(),
        waiting
    );
}

#[tokio::test]
async fn errors_that_say_the_same_are_one_group() {
    let rig = Rig::new().await;
    let ids = failed(&rig).await;
    let errors = rig.inspector.errors(&rig.queue).await.unwrap();
    assert_eq!((errors.looked, errors.of), (4, 4));
    let groups: Vec<_> = errors
        .groups
        .iter()
        .map(|group| {
            (
                group.code,
                group.message.as_str(),
                group.count,
                group.example,
            )
        })
        .collect();
    assert_eq!(
        groups,
        [
            (FailureCode::Error, "no route to host #", 3, ids[3]),
            (FailureCode::Panic, "no route to host #", 1, ids[2]),
        ]
    );
    assert!(errors.groups[0].first_at <= errors.groups[0].last_at);
}

#[tokio::test]
async fn how_a_queue_does_is_told_from_its_jobs() {
    let rig = Rig::new().await;
    let vitals = rig.inspector.vitals(&rig.queue).await.unwrap();
    assert_eq!(vitals, broker::Vitals::default());
    failed(&rig).await;
    let oldest = rig.submit("1", of("ann")).await;
    rig.submit("2", of("bob")).await;
    let since = rig.get(oldest).await.created_at;
    let vitals = rig.inspector.vitals(&rig.queue).await.unwrap();
    assert!(vitals.oldest_waiting_ms.unwrap() <= rig.inspector.now().await.unwrap() - since);
    assert_eq!(vitals.latency.unwrap().samples, 1);
}

#[tokio::test]
async fn a_minute_is_kept_once() {
    let rig = Rig::new().await;
    failed(&rig).await;
    let kinds = rig.inspector.kinds(&rig.queue).await.unwrap();
    let test = &kinds[&"test".parse().unwrap()];
    assert_eq!((test.completed, test.failed), (1, 4));
    let before = rig.inspector.now().await.unwrap() / MINUTE_MS;
    let kept = rig.inspector.keep_minute(&rig.queue).await.unwrap();
    let again = rig.inspector.keep_minute(&rig.queue).await.unwrap();
    let after = rig.inspector.now().await.unwrap() / MINUTE_MS;
    assert!(kept);
    // Unless another minute began meanwhile.
    assert!(!again || after > before);
    rig.submit("1", of("ann")).await;
    let since = (before - 1) * MINUTE_MS;
    let minutes = rig.inspector.minutes(&rig.queue, since).await.unwrap();
    let (first, last) = (&minutes[0], minutes.last().unwrap());
    assert!(minutes.len() >= 2 && first.at / MINUTE_MS >= before);
    assert_eq!((first.totals.enqueued, last.totals.enqueued), (5, 6));
    assert_eq!((first.depth.waiting, last.depth.waiting), (0, 1));
    assert_eq!(first.kinds, kinds);
    let ttl: u64 = rig
        .server
        .command(&["TTL", &format!("test{{chat}}:minutes:{}", before / 1440)])
        .await;
    assert!(ttl > 3 * 86_400 && ttl <= 4 * 86_400);
}

#[tokio::test]
async fn a_delayed_job_can_be_run_now_and_a_waiting_one_before_others() {
    let rig = Rig::new().await;
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    let later = JobOptions {
        delay_ms: 3_600_000,
        ..of("ann")
    };
    let (first, second) = (
        rig.submit("1", of("ann")).await,
        rig.submit("2", of("ann")).await,
    );
    let delayed = rig.submit("3", later).await;
    let queue = &rig.queue;
    let done = control.run_now(queue, &[delayed, first]).await.unwrap();
    assert_eq!(done, [Done::Yes, Done::Conflict(JobState::Waiting)]);
    assert_eq!(rig.get(delayed).await.due_at, None);
    let (counts, _) = rig.inspector.counts(queue).await.unwrap();
    assert_eq!((counts.waiting, counts.delayed), (3, 0));

    let high = [delayed, second];
    let done = control
        .set_priority(queue, &high, Priority::High)
        .await
        .unwrap();
    assert_eq!(done, [Done::Yes, Done::Yes]);
    assert_eq!(rig.get(second).await.priority, Priority::High);
    // In their new line they stand by when they came in.
    let order = rig
        .inspector
        .ids(queue, JobState::Waiting, 10)
        .await
        .unwrap();
    assert_eq!(order, [second, delayed, first]);
    let (counts, _) = rig.inspector.counts(queue).await.unwrap();
    assert_eq!(counts.waiting, 3);
    let worker = rig.worker("w", Setup::default(), async |_, _| Ok("1".to_owned()));
    for id in [first, second, delayed] {
        rig.until_state(id, JobState::Completed).await;
    }
    worker.stop().await;
    let done = control
        .set_priority(queue, &[first], Priority::Low)
        .await
        .unwrap();
    assert_eq!(done, [Done::Conflict(JobState::Completed)]);
}

#[tokio::test]
async fn where_a_handler_panicked_is_kept_for_operators_alone() {
    let rig = Rig::new().await;
    let id = rig.submit("1", of("ann")).await;
    let worker = rig.worker("bad", Setup::default(), async |_, _| {
        let error = JobError::with_code(FailureCode::Panic, "boom").at("at a.rs:1\n  0: a");
        Err(error.into())
    });
    let job = rig.until_state(id, JobState::Failed).await;
    worker.stop().await;
    let error = job.error.unwrap();
    assert_eq!(error.message, "boom");
    assert_eq!(error.backtrace.as_deref(), Some("at a.rs:1\n  0: a"));
    let told = rig.events(&id).await;
    assert!(
        told.last().unwrap().1.contains(r#""message":"boom"}"#),
        "{told:?}"
    );
    assert!(
        !told.iter().any(|(_, event)| event.contains("a.rs")),
        "{told:?}"
    );
    // Nor in its log once it runs again, and not in lists.
    let listed = browse(&rig, JobState::Failed, &JobFilter::default(), 1).await;
    assert_eq!(listed[0].error.as_ref().unwrap().backtrace, None);
    let control = Control::new(rig.redis.clone(), rig.args.clone());
    control.retry(&rig.queue, &[id]).await.unwrap();
    let told = rig.events(&id).await;
    assert!(
        told.iter().any(|(_, event)| event.contains("boom")),
        "{told:?}"
    );
    assert!(
        !told.iter().any(|(_, event)| event.contains("a.rs")),
        "{told:?}"
    );
}
