//! What a function may take, and what becomes of what it returns.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use futures_util::future::BoxFuture;
use protocol::{FailureCode, JobOptions, Kind, Tenant, limits::MAX_RESULT_BYTES};
use serde_json::{json, value::RawValue};
use worker::{
    FromJob, Handler, JobContext, JobError, Output, Registry, State,
    testing::{Harness, Outcome},
};

pub fn kind(name: &str) -> Kind {
    Kind::new(name).unwrap()
}

#[derive(Clone, Default)]
struct Shared {
    calls: Arc<AtomicU32>,
}

async fn count(State(shared): State<Shared>, by: u32) -> Result<u32, JobError> {
    Ok(shared.calls.fetch_add(by, Ordering::SeqCst) + by)
}

struct Owner(Tenant);

impl FromJob<Shared> for Owner {
    fn from_job(context: &JobContext, shared: &Shared) -> Result<Self, JobError> {
        if context.tenant() == &Tenant::public() {
            return Err(JobError::fatal(FailureCode::Error, "nobody owns it"));
        }
        shared.calls.fetch_add(100, Ordering::SeqCst);
        Ok(Self(context.tenant().clone()))
    }
}

async fn all(
    context: JobContext,
    State(shared): State<Shared>,
    Owner(owner): Owner,
    text: String,
) -> Result<String, JobError> {
    let calls = shared.calls.load(Ordering::SeqCst);
    Ok(format!("{} {owner} {calls} {text}", context.kind()))
}

/// The code and the message of a failure, and whether the job is tried again.
pub fn failed(outcome: &Outcome) -> (FailureCode, &str, bool) {
    let Outcome::Failed { failure, retry } = outcome else {
        panic!("{outcome:?}");
    };
    (failure.code, &failure.message, retry.is_some())
}

#[tokio::test]
async fn all_handlers_share_the_state() {
    let shared = Shared::default();
    let registry = Registry::with_state(shared.clone())
        .register(kind("one"), count)
        .register(kind("two"), count);
    let harness = Harness::new(registry);
    assert_eq!(
        harness.run("one", 3).await.outcome,
        Outcome::Completed(json!(3))
    );
    assert_eq!(
        harness.run("two", 4).await.outcome,
        Outcome::Completed(json!(7))
    );
    assert_eq!(shared.calls.load(Ordering::SeqCst), 7);
}

#[tokio::test]
async fn a_function_takes_what_can_be_made_of_the_job() {
    let registry = Registry::with_state(Shared::default()).register(kind("all"), all);
    let harness = Harness::new(registry).options(JobOptions {
        tenant: Tenant::new("ada").unwrap(),
        ..JobOptions::default()
    });
    let ran = harness.run("all", "x").await;
    assert_eq!(ran.outcome, Outcome::Completed(json!("all ada 100 x")));
    let harness = harness.options(JobOptions::default());
    let ran = harness.run("all", "x").await;
    assert_eq!(
        failed(&ran.outcome),
        (FailureCode::Error, "nobody owns it", false)
    );
}

#[tokio::test]
async fn the_later_handler_of_a_kind_counts() {
    let registry = Registry::new()
        .register(kind("a"), async |_: u32| Ok(1))
        .register(kind("b"), async |_: u32| Ok(2))
        .register(kind("a"), async |_: JobContext, _: u32| Ok(3));
    assert_eq!(registry.kinds(), [&kind("a"), &kind("b")]);
    let ran = Harness::new(registry).run("a", 0).await;
    assert_eq!(ran.outcome, Outcome::Completed(json!(3)));
}

#[tokio::test]
async fn what_cannot_work_fails_for_good() {
    let registry = Registry::new()
        .register(kind("number"), async |number: u32| Ok(number))
        .register(kind("map"), async |_: u32| Ok(HashMap::from([((1, 2), 3)])))
        .register(
            kind("long"),
            async |_: u32| Ok("x".repeat(MAX_RESULT_BYTES)),
        );
    let harness = Harness::new(registry);
    for (kind, payload, code) in [
        ("number", json!("text"), FailureCode::Undecodable),
        ("nobody", json!(1), FailureCode::UnknownKind),
        ("map", json!(1), FailureCode::Error),
        ("long", json!(1), FailureCode::ResultTooLarge),
    ] {
        let ran = harness.run(kind, payload).await;
        let (found, text, retried) = failed(&ran.outcome);
        assert_eq!((found, retried), (code, false), "{kind}: {text}");
    }
}

struct Echo;

impl Handler for Echo {
    fn run(
        &self,
        _: JobContext,
        payload: Box<RawValue>,
    ) -> BoxFuture<'static, Result<Output, JobError>> {
        Box::pin(async { Ok(Output(payload)) })
    }
}

#[tokio::test]
async fn a_raw_handler_gets_any_payload() {
    let harness = Harness::new(Registry::new().with(kind("echo"), Echo));
    let ran = harness.run("echo", json!({"any": [1]})).await;
    assert_eq!(ran.outcome, Outcome::Completed(json!({"any": [1]})));
}
