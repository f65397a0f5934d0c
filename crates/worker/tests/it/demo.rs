//! The built-in handler that streams.

use std::time::Duration;

use protocol::{EventType, FailureCode};
use serde_json::{Value, json};
use tokio::time::Instant;
use worker::{
    Registry, demo,
    testing::{Harness, Outcome},
};

fn harness() -> Harness {
    Harness::new(demo(Registry::new()))
}

#[tokio::test]
async fn it_streams_numbered_words_and_says_how_far_it_is() {
    let wish = json!({"steps": 4, "pause_ms": 0, "text": " to  be\nor "});
    let ran = harness().attempt(2).run("demo", wish).await;
    let result = json!({"steps": 4, "attempt": 2});
    assert_eq!(ran.outcome, Outcome::Completed(result));
    let chunks: Vec<_> = ["to", "be", "or", "to"].into_iter().zip(1..).collect();
    let chunks: Vec<_> = chunks
        .iter()
        .map(|(text, n)| json!({"n": n, "text": text}))
        .collect();
    assert_eq!(ran.chunks(), chunks);
    assert_eq!(ran.progress(), [25, 50, 75, 100]);
}

#[tokio::test(start_paused = true)]
async fn everything_has_a_default() {
    let start = Instant::now();
    let ran = harness().run("demo", json!({})).await;
    assert!(matches!(ran.outcome, Outcome::Completed(_)));
    assert_eq!(ran.chunks().len(), 40);
    assert_eq!(start.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_most_there_may_be_is_bounded() {
    let wish = json!({"steps": 500, "pause_ms": 2000, "text": "x".repeat(2000)});
    let ran = harness().run("demo", wish).await;
    assert!(matches!(ran.outcome, Outcome::Completed(_)));
    let told: Vec<Value> = (1..=100).map(Value::from).collect();
    assert_eq!(ran.progress(), told, "a step in five says how far it is");
}

#[tokio::test(start_paused = true)]
async fn it_stops_between_two_words() {
    let mut running = harness().start("demo", json!({"steps": 10, "pause_ms": 2000}));
    let (event, _) = running.event().await.unwrap();
    assert_eq!(event, EventType::Chunk);
    let start = Instant::now();
    running.cancel();
    let ran = running.finish().await;
    assert_eq!(ran.outcome, Outcome::Cancelled);
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn what_is_out_of_bounds_fails_for_good() {
    for (wish, named) in [
        (json!({"steps": 0}), "steps"),
        (json!({"steps": 501}), "steps"),
        (json!({"pause_ms": 2001}), "pause_ms"),
        (json!({"text": "x".repeat(2001)}), "text"),
        (json!({"stepz": 1}), "stepz"),
        (json!("hello"), "invalid type"),
    ] {
        let ran = harness().run("demo", &wish).await;
        let failure = ran.outcome.failure().unwrap();
        assert_eq!(failure.code, FailureCode::Undecodable, "{wish}");
        assert!(failure.message.contains(named), "{}", failure.message);
        assert!(matches!(ran.outcome, Outcome::Failed { retry: None, .. }));
    }
}
