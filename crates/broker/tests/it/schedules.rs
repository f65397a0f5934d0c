//! Schedules: what is kept of them, and that each claim has one owner.

use std::{collections::HashSet, time::Duration};

use broker::{Claims, Inspector, Paused, Put, Schedules, Settlement, testing::until};
use protocol::{JobId, LastRun, Missed, QueueName, Schedule, ScheduleName};

use crate::rig::Rig;

const LEASE: Duration = Duration::from_secs(10);
/// One that is over as soon as it is given.
const NONE: Duration = Duration::ZERO;

struct Book {
    rig: Rig,
    schedules: Schedules,
}

fn schedule(name: &str, when: &str) -> Schedule {
    let text = format!(
        r#"{{"name":"{name}","queue":"chat","when":{when},"job":{{"kind":"test","payload":{{"a": 1}}}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

const OFTEN: &str = r#"{"every_ms":60000}"#;

impl Book {
    async fn new() -> Self {
        let rig = Rig::new().await;
        let schedules = Schedules::new(rig.redis.clone());
        Self { rig, schedules }
    }

    fn queue(&self) -> &QueueName {
        &self.rig.queue
    }

    async fn put(&self, schedule: &Schedule, next: u64) -> Put {
        self.schedules.put(schedule, Some(next)).await.unwrap()
    }

    async fn claim(&self, lease: Duration) -> Claims {
        self.schedules
            .claim(self.queue(), lease, 100)
            .await
            .unwrap()
    }

    async fn settle(&self, claims: &Claims, next: Option<u64>) -> Vec<bool> {
        let ends: Vec<_> = claims
            .claims
            .iter()
            .map(|claim| Settlement {
                name: claim.schedule.name.clone(),
                next,
                last: Some(LastRun {
                    at: claim.due,
                    job: JobId::from_parts(claim.due, 7),
                }),
            })
            .collect();
        self.schedules
            .settle(self.queue(), claims, &ends)
            .await
            .unwrap()
    }

    async fn next_at(&self, name: &str) -> Option<u64> {
        self.record(name).await.next_at
    }

    async fn record(&self, name: &str) -> protocol::ScheduleRecord {
        let name = ScheduleName::new(name).unwrap();
        let record = self.schedules.get(self.queue(), &name).await.unwrap();
        record.expect("the schedule is there")
    }
}

fn names(claims: &Claims) -> Vec<&str> {
    claims
        .claims
        .iter()
        .map(|claim| claim.schedule.name.as_str())
        .collect()
}

#[tokio::test]
async fn what_is_put_is_listed() {
    let book = Book::new().await;
    let inspector = Inspector::new(book.rig.redis.clone());
    assert_eq!(book.put(&schedule("b", OFTEN), 5).await, Put::Created);
    assert_eq!(inspector.queues().await.unwrap(), [book.queue().clone()]);
    let mut first = schedule("a", r#"{"cron":"0 * * * * *","zone":"Europe/Berlin"}"#);
    first.missed = Missed::CatchUp;
    first.paused = Some(true);
    assert_eq!(book.put(&first, 7).await, Put::Created);
    let listed = book.schedules.list(book.queue()).await.unwrap();
    let shown: Vec<_> = listed
        .iter()
        .map(|record| {
            let Schedule { name, paused, .. } = &record.schedule;
            (name.as_str(), *paused, record.next_at)
        })
        .collect();
    assert_eq!(
        shown,
        [("a", Some(true), Some(7)), ("b", Some(false), Some(5))]
    );
    assert_eq!(listed[0].schedule.missed, Missed::CatchUp);
    assert_eq!(listed[0].schedule.job.payload.get(), r#"{"a": 1}"#);
    // It is paused.
    assert_eq!(names(&book.claim(LEASE).await), ["b"]);
    let name = &listed[1].schedule.name;
    assert!(book.schedules.remove(book.queue(), name).await.unwrap());
    assert!(!book.schedules.remove(book.queue(), name).await.unwrap());
    assert!(
        book.schedules
            .get(book.queue(), name)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_claim_has_one_owner() {
    let book = Book::new().await;
    let soon = book.schedules.now().await.unwrap() + 3_600_000;
    book.put(&schedule("later", OFTEN), soon).await;
    for n in 0..300_u64 {
        book.put(&schedule(&format!("s-{n}"), OFTEN), 1_000 + n)
            .await;
    }
    let take = || book.claim(LEASE);
    let all = futures_util::future::join_all([take(), take(), take(), take(), take()]).await;
    assert_eq!(
        names(&all[0])[..2],
        ["s-0", "s-1"],
        "the most overdue first"
    );
    let taken: Vec<&str> = all.iter().flat_map(names).collect();
    let distinct: HashSet<_> = taken.iter().collect();
    assert_eq!((taken.len(), distinct.len()), (300, 300));
    // What was claimed comes back only when its lease is over.
    let now = all[4].now;
    assert!(all[4].next_at.unwrap() > now + 8_000);
    for claims in &all {
        assert!(
            book.settle(claims, Some(soon))
                .await
                .iter()
                .all(|held| *held)
        );
    }
    assert_eq!(book.claim(LEASE).await.next_at, Some(soon));
    let record = book.record("s-7").await;
    assert_eq!(record.next_at, Some(soon));
    assert_eq!(record.last.unwrap().at, 1_007);
}

#[tokio::test]
async fn who_lost_a_claim_writes_nothing() {
    let book = Book::new().await;
    book.put(&schedule("a", OFTEN), 5).await;
    let dead = book.claim(NONE).await;
    assert_eq!((names(&dead), dead.claims[0].due), (vec!["a"], 5));
    let heir = until("the lease is over", async || {
        let claims = book.claim(LEASE).await;
        (!claims.claims.is_empty()).then_some(claims)
    })
    .await;
    assert_eq!(heir.claims[0].due, 5, "the same time as before");
    assert_eq!(book.settle(&dead, Some(99)).await, [false]);
    assert_eq!(book.next_at("a").await, Some(5));
    assert_eq!(book.settle(&heir, Some(70)).await, [true]);
    assert_eq!(book.settle(&heir, Some(71)).await, [false], "it is over");
    assert_eq!(book.next_at("a").await, Some(70));
}

#[tokio::test]
async fn what_runs_no_more_stays_listed() {
    let book = Book::new().await;
    book.put(&schedule("once", r#"{"at":5}"#), 5).await;
    let claims = book.claim(LEASE).await;
    assert_eq!(book.settle(&claims, None).await, [true]);
    assert_eq!(book.claim(NONE).await.next_at, None);
    let record = book.record("once").await;
    assert_eq!((record.next_at, record.last.unwrap().at), (None, 5));
    // Said again it is the same, and has run.
    assert_eq!(
        book.put(&schedule("once", r#"{"at":5}"#), 5).await,
        Put::Updated
    );
    assert!(book.claim(NONE).await.claims.is_empty());
    assert_eq!(
        book.put(&schedule("once", r#"{"at":6}"#), 6).await,
        Put::Updated
    );
    assert_eq!(names(&book.claim(NONE).await), ["once"]);
}

#[tokio::test]
async fn a_change_of_times_takes_the_claim_away_and_another_does_not() {
    let book = Book::new().await;
    let mut said = schedule("a", OFTEN);
    book.put(&said, 5).await;
    let claims = book.claim(LEASE).await;
    said.missed = Missed::CatchUp;
    book.put(&said, 99).await;
    assert!(book.claim(LEASE).await.claims.is_empty(), "it is claimed");
    assert_eq!(book.settle(&claims, Some(6)).await, [true]);
    assert_eq!(book.next_at("a").await, Some(6));

    let claims = book.claim(LEASE).await;
    book.put(&schedule("a", r#"{"every_ms":30000}"#), 8).await;
    assert_eq!(book.settle(&claims, Some(7)).await, [false]);
    assert_eq!(book.next_at("a").await, Some(8));
    assert_eq!(book.claim(LEASE).await.claims[0].due, 8);
}

#[tokio::test]
async fn a_claim_does_not_outlive_its_schedule() {
    let book = Book::new().await;
    let said = schedule("a", OFTEN);
    book.put(&said, 5).await;
    let claims = book.claim(LEASE).await;
    book.schedules
        .remove(book.queue(), &said.name)
        .await
        .unwrap();
    assert_eq!(book.settle(&claims, Some(6)).await, [false]);
    book.put(&said, 8).await;
    assert_eq!(book.settle(&claims, Some(6)).await, [false]);
    assert_eq!(book.next_at("a").await, Some(8));
}

#[tokio::test]
async fn a_rest_is_not_made_up_for() {
    let book = Book::new().await;
    let said = schedule("a", OFTEN);
    let pause = async |paused, next| book.schedules.pause(&said, paused, next).await.unwrap();
    assert_eq!(pause(true, None).await, Paused::Missing);
    book.put(&said, 5).await;
    assert_eq!(pause(false, Some(9)).await, Paused::Same);
    assert_eq!(pause(true, None).await, Paused::Done);
    assert!(book.claim(LEASE).await.claims.is_empty());
    // Putting it leaves it as it is.
    book.put(&said, 6).await;
    assert_eq!(book.record("a").await.schedule.paused, Some(true));
    let other = schedule("a", r#"{"every_ms":30000}"#);
    let result = book.schedules.pause(&other, false, Some(9)).await;
    assert_eq!(result.unwrap(), Paused::Other);
    let soon = book.schedules.now().await.unwrap() + 3_600_000;
    assert_eq!(pause(false, Some(soon)).await, Paused::Done);
    assert_eq!(book.next_at("a").await, Some(soon));
    // One whose time is yet to come keeps it.
    assert_eq!(pause(true, None).await, Paused::Done);
    assert_eq!(pause(false, Some(soon + 5)).await, Paused::Done);
    assert_eq!(book.next_at("a").await, Some(soon));
    assert_eq!(book.claim(LEASE).await.next_at, Some(soon));
}

#[tokio::test]
async fn a_pause_meets_a_claim() {
    let book = Book::new().await;
    let said = schedule("a", OFTEN);
    book.put(&said, 5).await;
    let claims = book.claim(LEASE).await;
    book.schedules.pause(&said, true, None).await.unwrap();
    assert_eq!(book.settle(&claims, Some(6)).await, [true], "it ran");
    assert_eq!(book.next_at("a").await, Some(6));
    assert!(book.claim(LEASE).await.claims.is_empty(), "it is paused");
}

#[tokio::test]
async fn what_is_damaged_does_not_hold_up_the_rest() {
    let book = Book::new().await;
    for name in ["a", "b", "c"] {
        book.put(&schedule(name, OFTEN), 5).await;
    }
    let redis = &book.rig.server;
    let key = "test{chat}:schedules";
    let _: u64 = redis.command(&["HSET", key, "a", "{}\n{}"]).await;
    let _: u64 = redis
        .command(&["HSET", &format!("{key}:state"), "b", "x"])
        .await;
    let claims = book.claim(LEASE).await;
    assert_eq!(names(&claims), ["c"]);
    assert_eq!(claims.unreadable[0].0, "a");
    assert_eq!(book.schedules.list(book.queue()).await.unwrap().len(), 1);
    let name = ScheduleName::new("b").unwrap();
    book.schedules.get(book.queue(), &name).await.unwrap_err();
}
