//! The example, tested the way its reader would test a worker.

use std::{sync::Arc, time::Duration};

use protocol::{EventType, FailureCode};
use serde_json::json;
use worker::testing::{Harness, Outcome};

#[allow(dead_code, reason = "nobody calls its `main`")]
#[path = "../../examples/assistant.rs"]
mod example;

use example::{Model, Shared};

fn harness(pause: Duration) -> Harness {
    let model = Arc::new(Model { pause });
    Harness::new(example::registry(Shared { model }).unwrap())
}

#[tokio::test]
async fn an_answer_comes_token_by_token() {
    let harness = harness(Duration::ZERO);
    let ran = harness
        .run("assistant.answer", json!({"prompt": "to be or"}))
        .await;
    let answer = json!({"text": "to be or", "tokens": 3});
    assert_eq!(ran.outcome, Outcome::Completed(answer));
    assert_eq!(ran.chunks(), ["to", "be", "or"]);
    assert_eq!(ran.progress(), [33, 66, 100]);
}

#[tokio::test(start_paused = true)]
async fn it_stops_between_two_tokens() {
    let harness = harness(Duration::from_secs(10));
    let mut running = harness.start("assistant.answer", json!({"prompt": "to be"}));
    let (event, token) = running.event().await.unwrap();
    assert_eq!((event, token), (EventType::Chunk, json!("to")));
    let start = tokio::time::Instant::now();
    running.cancel();
    let ran = running.finish().await;
    assert_eq!(ran.outcome, Outcome::Cancelled);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_too_long_is_tried_again() {
    let ran = harness(Duration::from_secs(3600))
        .run("assistant.answer", json!({"prompt": "to be"}))
        .await;
    assert!(matches!(
        ran.outcome,
        Outcome::Failed { retry: Some(_), .. }
    ));
}

#[tokio::test]
async fn an_empty_prompt_fails_for_good() {
    let ran = harness(Duration::ZERO)
        .run("assistant.answer", json!({"prompt": ""}))
        .await;
    let Outcome::Failed {
        failure,
        retry: None,
    } = ran.outcome
    else {
        panic!("{ran:?}");
    };
    assert_eq!(failure.code, FailureCode::Undecodable);
    assert!(failure.message.contains("/prompt"), "{failure}");
}

#[tokio::test]
async fn a_busy_memory_is_asked_again_after_three_seconds() {
    let first = harness(Duration::ZERO);
    let ran = first.run("assistant.remember", "milk").await;
    let pause = Some(Duration::from_secs(3));
    assert!(matches!(ran.outcome, Outcome::Failed { retry, .. } if retry == pause));
    let second = first.attempt(2);
    let ran = second.run("assistant.remember", "milk").await;
    assert_eq!(ran.outcome, Outcome::Completed(json!(4)));
    assert_eq!(ran.events, [(EventType::Log, json!("remembered"))]);
}
