//! Managers that hand in what schedules say: several at once, late, cut off, and with a file.

use std::{collections::BTreeMap, time::Duration};

use broker::{QueueArgs, Schedules, testing::until};
use prometheus_client::registry::Registry;
use protocol::{JobRecord, JobState, Schedule, ScheduleName};
use queue::{Metrics, Ran, ScheduleBook, ScheduleError, ScheduleFile, Scheduler};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::rig::{Rig, name};

const HOUR: u64 = 3_600_000;

fn scheduler(rig: &Rig) -> Scheduler {
    let mut registry = Registry::default();
    Scheduler::new(
        rig.redis.clone(),
        QueueArgs::default(),
        Metrics::new(&mut registry),
        TaskTracker::new(),
        CancellationToken::new(),
    )
}

fn book(rig: &Rig) -> ScheduleBook {
    ScheduleBook::new(rig.redis.clone(), QueueArgs::default())
}

fn schedule(name: &str, when: &str, more: &str) -> Schedule {
    let text = format!(
        r#"{{"name":"{name}","queue":"chat","when":{when},{more}"job":{{"kind":"done","payload":"{name}"}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn named(text: &str) -> ScheduleName {
    ScheduleName::new(text).unwrap()
}

/// Stores a schedule whose next time is what the test wants, as if it had been set long ago.
async fn put_due(rig: &Rig, schedule: &Schedule, due: u64) {
    let schedules = Schedules::new(rig.redis.clone());
    schedules.put(schedule, Some(due)).await.unwrap();
}

async fn now(rig: &Rig) -> u64 {
    Schedules::new(rig.redis.clone()).now().await.unwrap()
}

/// The jobs that wait, by their keys.
async fn runs(rig: &Rig) -> BTreeMap<String, JobRecord> {
    let jobs = rig
        .inspector
        .list(&name("chat"), JobState::Waiting, 10_000)
        .await
        .unwrap();
    let count = jobs.len();
    let runs: BTreeMap<_, _> = jobs
        .into_iter()
        .map(|job| (job.key.clone().unwrap().to_string(), job))
        .collect();
    assert_eq!(runs.len(), count, "each key is one job's");
    runs
}

async fn round(scheduler: &mut Scheduler) -> Ran {
    scheduler.run_once().await.unwrap()
}

#[tokio::test]
async fn each_run_is_one_job_whichever_manager_comes() {
    let rig = Rig::start("managers").await;
    let start = now(&rig).await;
    for n in 0..300 {
        let often = schedule(&format!("s-{n}"), r#"{"every_ms":3600000}"#, "");
        put_due(&rig, &often, start - 1_000).await;
    }
    let mut managers = [scheduler(&rig), scheduler(&rig), scheduler(&rig)];
    let [a, b, c] = &mut managers;
    let (a, b, c) = tokio::join!(round(a), round(b), round(c));
    assert_eq!(a.runs + b.runs + c.runs, 300);
    assert_eq!(
        a.again + b.again + c.again + a.refused + b.refused + c.refused,
        0
    );
    let runs = runs(&rig).await;
    assert_eq!(runs.len(), 300);
    let key = format!("schedule/s-7/{}", start - 1_000);
    assert_eq!(runs[&key].payload.as_ref().unwrap().get(), "\"s-7\"");
    let record = book(&rig).get(&name("chat"), &named("s-7")).await.unwrap();
    assert_eq!(record.next_at, Some(start - 1_000 + HOUR));
    let last = record.last.unwrap();
    assert_eq!((last.at, last.job), (start - 1_000, runs[&key].id));
    assert_eq!(round(&mut managers[1]).await.runs, 0);
}

#[tokio::test]
async fn who_takes_over_from_a_dead_manager_runs_nothing_twice() {
    let rig = Rig::start("heir").await;
    let schedules = Schedules::new(rig.redis.clone());
    let due = now(&rig).await - 5_000;
    let mut manager = scheduler(&rig);
    put_due(&rig, &schedule("a", r#"{"every_ms":3600000}"#, ""), due).await;
    assert_eq!(round(&mut manager).await.runs, 1);
    // As if it had died after handing in, and its lease were over: nobody knows that it has run.
    schedules.remove(&name("chat"), &named("a")).await.unwrap();
    let other = schedule("a", r#"{"every_ms":3600000}"#, r#""missed":"catch_up","#);
    put_due(&rig, &other, due).await;
    let ran = round(&mut scheduler(&rig)).await;
    assert_eq!((ran.runs, ran.again), (0, 1));
    // Also where it would hand in something else by now.
    schedules.remove(&name("chat"), &named("a")).await.unwrap();
    let mut changed = other;
    changed.job.payload = serde_json::from_str("\"changed\"").unwrap();
    put_due(&rig, &changed, due).await;
    let ran = round(&mut manager).await;
    assert_eq!((ran.runs, ran.again), (0, 1));
    // Even if the job is gone, and only its key is left.
    let job = runs(&rig).await.into_values().next().unwrap().id;
    let key = format!("heir{{chat}}:job:{job}");
    assert_eq!(rig.server.command::<u64>(&["DEL", &key]).await, 1);
    schedules.remove(&name("chat"), &named("a")).await.unwrap();
    put_due(&rig, &changed, due).await;
    let ran = round(&mut manager).await;
    assert_eq!((ran.runs, ran.again), (0, 1));
    let record = book(&rig).get(&name("chat"), &named("a")).await.unwrap();
    assert_eq!(record.next_at, Some(due + HOUR));
}

#[tokio::test]
async fn missed_runs_are_skipped_or_caught_up_with_in_order() {
    let rig = Rig::start("missed").await;
    let now = now(&rig).await;
    let minutes = r#"{"every_ms":60000}"#;
    // Nobody was there for three hours.
    let due = now - 180 * 60_000 - 30_000;
    put_due(&rig, &schedule("skips", minutes, ""), due).await;
    let catches = schedule("catches", minutes, r#""missed":"catch_up","#);
    put_due(&rig, &catches, due).await;
    put_due(&rig, &schedule("once", r#"{"at":5}"#, ""), 5).await;
    let late = schedule("late", r#"{"at":5}"#, r#""missed":"catch_up","#);
    put_due(&rig, &late, 5).await;
    let mut manager = scheduler(&rig);
    let mut total = 0;
    until("all is caught up with", async || {
        total += round(&mut manager).await.runs;
        (total >= 183).then_some(())
    })
    .await;
    assert_eq!(total, 183);
    let runs = runs(&rig).await;
    let of = |name: &str| {
        let prefix = format!("schedule/{name}/");
        runs.keys().filter(|key| key.starts_with(&prefix)).count()
    };
    assert_eq!(
        (of("skips"), of("catches"), of("once"), of("late")),
        (1, 181, 0, 1)
    );
    let book = book(&rig);
    for (name_, next) in [
        ("skips", Some(now + 30_000)),
        ("once", None),
        ("late", None),
    ] {
        let record = book.get(&name("chat"), &named(name_)).await.unwrap();
        assert_eq!(record.next_at, next, "{name_}");
    }
    let line = rig
        .inspector
        .list(&name("chat"), JobState::Waiting, 1_000)
        .await
        .unwrap();
    let times: Vec<u64> = line
        .iter()
        .filter_map(|job| {
            job.key
                .as_ref()?
                .as_str()
                .strip_prefix("schedule/catches/")?
                .parse()
                .ok()
        })
        .collect();
    assert!(times.is_sorted(), "the oldest first");
}

#[tokio::test]
async fn what_a_full_queue_refuses_is_tried_again() {
    let rig = Rig::start("full").await;
    let due = now(&rig).await;
    put_due(&rig, &schedule("a", r#"{"every_ms":3600000}"#, ""), due).await;
    let limit = ["limits", "chat", "--max-waiting", "0"];
    assert_eq!(rig.run(&limit).code, 0);
    let mut manager = scheduler(&rig);
    let ran = round(&mut manager).await;
    assert_eq!((ran.runs, ran.refused), (0, 1));
    // Nobody else has it meanwhile.
    assert_eq!(round(&mut scheduler(&rig)).await.refused, 0);
    assert_eq!(
        rig.run(&["limits", "chat", "--max-waiting", "none"]).code,
        0
    );
    let soon = due.to_string();
    let set = "full{chat}:schedules:due";
    assert_eq!(
        rig.server
            .command::<u64>(&["ZADD", set, "XX", "CH", &soon, "a"])
            .await,
        1
    );
    assert_eq!(round(&mut manager).await.runs, 1);
}

#[tokio::test]
async fn a_manager_rests_until_something_is_due() {
    let rig = Rig::start("rests").await;
    let mut manager = scheduler(&rig);
    let rest = Duration::from_secs(1);
    assert_eq!(round(&mut manager).await.rest, rest);
    let at = now(&rig).await + 400;
    let once = schedule("a", &format!(r#"{{"at":{at}}}"#), "");
    book(&rig).put(once).await.unwrap();
    let mut manager = scheduler(&rig);
    let ran = round(&mut manager).await;
    assert!(
        ran.runs == 1 || ran.rest <= Duration::from_millis(400),
        "{ran:?}"
    );
    until("it ran", async || {
        round(&mut manager).await;
        (runs(&rig).await.len() == 1).then_some(())
    })
    .await;
    let job = runs(&rig).await.into_values().next().unwrap();
    assert!(job.created_at >= at, "never early");
}

#[tokio::test]
async fn an_operator_rests_a_schedule_and_runs_it_all_the_same() {
    let rig = Rig::start("rest").await;
    let (book, queue, a) = (book(&rig), name("chat"), named("a"));
    let hourly = schedule("a", r#"{"every_ms":3600000}"#, "");
    assert!(book.put(hourly.clone()).await.unwrap());
    assert!(!book.put(hourly).await.unwrap());
    let next = book.next(&queue, &a, 3).await.unwrap();
    assert_eq!((next.len(), next[2] - next[0]), (3, 2 * HOUR));
    assert!(book.pause(&queue, &a).await.unwrap());
    assert!(!book.pause(&queue, &a).await.unwrap());
    let receipt = book.run(&queue, &a).await.unwrap();
    let key = format!("schedule/a/{}", receipt.id);
    assert!(runs(&rig).await.contains_key(&key));
    assert!(book.resume(&queue, &a).await.unwrap());
    assert_eq!(book.next(&queue, &a, 3).await.unwrap(), next);
    book.remove(&queue, &a).await.unwrap();
    for error in [
        book.remove(&queue, &a).await.unwrap_err(),
        book.pause(&queue, &a).await.unwrap_err(),
        book.run(&queue, &a).await.unwrap_err(),
    ] {
        assert!(matches!(error, ScheduleError::NotFound(..)), "{error}");
    }
}

#[tokio::test]
async fn a_file_owns_what_came_from_it() {
    let rig = Rig::start("file").await;
    let book = book(&rig);
    let file = |names: &[&str]| {
        let schedules: Vec<_> = names
            .iter()
            .map(|name| schedule(name, r#"{"every_ms":3600000}"#, "").stored())
            .collect();
        let text = format!(r#"{{"schedules":[{}]}}"#, schedules.join(","));
        ScheduleFile::parse(&text, false, "f.json").unwrap()
    };
    let apply = async |names: &[&str], dry_run| {
        let changes = file(names).apply(&book, dry_run).await.unwrap();
        let shown: Vec<_> = changes
            .iter()
            .map(|change| format!("{} {}", change.name, change.change))
            .collect();
        shown.join(", ")
    };
    book.put(schedule("own", r#"{"every_ms":3600000}"#, ""))
        .await
        .unwrap();
    assert_eq!(apply(&["a", "b"], true).await, "a added, b added");
    assert_eq!(book.list(None).await.unwrap().len(), 1);
    assert_eq!(apply(&["a", "b"], false).await, "a added, b added");
    let next = book.next(&name("chat"), &named("a"), 1).await.unwrap();
    book.pause(&name("chat"), &named("b")).await.unwrap();
    assert_eq!(apply(&["a", "b"], false).await, "a unchanged, b unchanged");
    let b = book.get(&name("chat"), &named("b")).await.unwrap();
    assert_eq!(b.schedule.paused, Some(true), "it stays as it was put");
    assert_eq!(
        book.next(&name("chat"), &named("a"), 1).await.unwrap(),
        next
    );
    assert_eq!(apply(&["a"], false).await, "a unchanged, b removed");
    // Who sets one of them by hand has it until the file is applied again.
    book.put(schedule("a", r#"{"every_ms":7200000}"#, ""))
        .await
        .unwrap();
    assert_eq!(apply(&["a"], false).await, "a updated");
    assert_eq!(apply(&[], false).await, "a removed");
    assert_eq!(book.list(None).await.unwrap().len(), 1);
    let mut manager = scheduler(&rig).with_file(Some(file(&["c"])));
    round(&mut manager).await;
    assert_eq!(book.list(None).await.unwrap().len(), 2);
}

#[tokio::test]
async fn redis_may_go_and_come_back() {
    let mut rig = Rig::start("away").await;
    let mut manager = scheduler(&rig);
    let later = now(&rig).await + HOUR;
    put_due(&rig, &schedule("b", r#"{"every_ms":3600000}"#, ""), later).await;
    round(&mut manager).await;
    rig.server.kill();
    manager.run_once().await.unwrap_err();
    rig.server.run().await;
    // It came back empty.
    let due = now(&rig).await;
    put_due(&rig, &schedule("a", r#"{"every_ms":3600000}"#, ""), due).await;
    until("it runs", async || {
        manager
            .run_once()
            .await
            .is_ok_and(|ran| ran.runs == 1)
            .then_some(())
    })
    .await;
}
