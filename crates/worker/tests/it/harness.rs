//! The harness is true to what a worker does.

use std::sync::{Arc, Mutex};

use broker::testing::PATIENCE;
use protocol::{EventType, FailureCode, limits::MAX_EVENT_DATA_BYTES};
use serde_json::json;
use tokio::{sync::mpsc, time::timeout};
use worker::{
    JobContext, JobError, Registry, State, StopReason,
    testing::{Harness, Outcome},
};

use crate::functions::kind;

async fn speaks(context: JobContext, words: Vec<String>) -> Result<usize, JobError> {
    for word in &words {
        context.chunk(word).await?;
    }
    context.progress(&json!({"done": true})).await?;
    context.log("said").await?;
    Ok(words.len())
}

#[tokio::test]
async fn events_come_in_order_with_the_result() {
    let harness = Harness::new(Registry::new().register(kind("speak"), speaks));
    let ran = harness.run("speak", ["a", "b"]).await;
    assert_eq!(ran.outcome, Outcome::Completed(json!(2)));
    let events = [
        (EventType::Chunk, json!("a")),
        (EventType::Chunk, json!("b")),
        (EventType::Progress, json!({"done": true})),
        (EventType::Log, json!("said")),
    ];
    assert_eq!(ran.events, events);
}

#[tokio::test]
async fn more_events_than_fit_are_all_received() {
    let harness = Harness::new(Registry::new().register(kind("speak"), speaks));
    let words = vec!["x"; 1000];
    let mut running = harness.start("speak", &words);
    for _ in 0..10 {
        assert_eq!(running.event().await.unwrap().1, "x");
    }
    let ran = running.finish().await;
    assert_eq!(ran.chunks().len(), words.len());
    assert_eq!(ran.events.len(), words.len() + 2);
}

async fn waits(context: JobContext, (): ()) -> Result<(), JobError> {
    context.log("waits").await?;
    context.cancelled().cancelled().await;
    context.log("too late").await
}

#[tokio::test]
async fn an_attempt_that_is_cancelled_can_say_nothing_more() {
    let harness = Harness::new(Registry::new().register(kind("wait"), waits));
    let mut running = harness.start("wait", ());
    assert_eq!(running.event().await.unwrap().1, "waits");
    running.cancel();
    assert_eq!(running.event().await, None);
    let ran = running.finish().await;
    assert_eq!(ran.events.len(), 1);
    assert_eq!(ran.outcome, Outcome::Cancelled);
    // A worker that stops hands the job back instead.
    let running = harness.start("wait", ());
    running.stop(StopReason::Stopping);
    assert_eq!(running.finish().await.outcome, Outcome::HandedBack);
}

#[tokio::test]
async fn an_event_that_is_too_large_fails_the_job_for_good() {
    let harness = Harness::new(Registry::new().register(kind("speak"), speaks));
    let ran = harness
        .run("speak", ["x".repeat(MAX_EVENT_DATA_BYTES)])
        .await;
    assert!(matches!(ran.outcome, Outcome::Failed { retry: None, .. }));
}

#[tokio::test]
async fn a_panic_is_a_failure_of_the_attempt() {
    async fn panics(_: JobContext, text: String) -> Result<(), JobError> {
        panic!("{text}")
    }
    let harness = Harness::new(Registry::new().register(kind("panic"), panics));
    let ran = harness.run("panic", "boom").await;
    let Outcome::Failed { failure, retry } = ran.outcome else {
        panic!("{ran:?}");
    };
    assert_eq!(
        (failure.code, &*failure.message),
        (FailureCode::Panic, "boom")
    );
    assert!(retry.is_some());
}

#[tokio::test]
async fn attempts_are_told_apart() {
    async fn tells(context: JobContext, (): ()) -> Result<(u32, u32, String), JobError> {
        let id = context.id().to_string();
        Ok((context.attempt(), context.max_attempts(), id))
    }
    let harness = Harness::new(Registry::new().register(kind("tell"), tells)).attempt(3);
    let one = harness.run("tell", ()).await.outcome;
    let two = harness.run("tell", ()).await.outcome;
    assert_ne!(one, two);
    let Outcome::Completed(one) = one else {
        panic!("{one:?}");
    };
    assert_eq!((&one[0], &one[1]), (&json!(3), &json!(5)));
}

#[tokio::test]
async fn a_dropped_attempt_is_aborted() {
    /// Holds the channel open for as long as it runs.
    async fn holds(State(alive): State<mpsc::Sender<()>>, (): ()) -> Result<(), JobError> {
        alive.send(()).await.unwrap();
        std::future::pending().await
    }
    let (alive, mut gone) = mpsc::channel(1);
    let harness = Harness::new(Registry::with_state(alive).register(kind("hold"), holds));
    let running = harness.start("hold", ());
    assert_eq!(gone.recv().await, Some(()));
    // Now only the attempt holds it.
    drop(harness);
    drop(running);
    let gone = timeout(PATIENCE, gone.recv()).await;
    assert_eq!(gone.expect("it ends"), None);
}

#[tokio::test]
async fn a_handler_that_keeps_its_context_does_not_hold_up_the_end() {
    type Kept = Arc<Mutex<Option<JobContext>>>;
    async fn keeps(State(kept): State<Kept>, context: JobContext, (): ()) -> Result<(), JobError> {
        context.log("kept").await?;
        *kept.lock().unwrap() = Some(context);
        Ok(())
    }
    let registry = Registry::with_state(Kept::default()).register(kind("keep"), keeps);
    let harness = Harness::new(registry);
    let ran = timeout(PATIENCE, harness.run("keep", ())).await;
    assert_eq!(ran.expect("it ends").events.len(), 1);
}

#[test]
#[should_panic(expected = "a name holds only")]
fn a_kind_that_is_no_name_is_a_mistake_of_the_test() {
    let _ = Harness::new(Registry::new()).start("a b", ());
}
