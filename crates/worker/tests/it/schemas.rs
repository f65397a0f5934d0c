//! Payloads that must fit the JSON Schema of their type.

use protocol::FailureCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use worker::{
    JobError, Registry, State,
    testing::{Harness, Outcome},
};

use crate::functions::kind;

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "only decoded")]
struct Order {
    #[schemars(length(min = 1, max = 5))]
    name: String,
    #[schemars(range(min = 1, max = 10))]
    amount: u32,
    #[serde(default)]
    #[schemars(length(max = 2))]
    lines: Vec<Line>,
    #[serde(default)]
    #[schemars(extend("format" = "email"))]
    contact: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "only decoded")]
struct Line {
    #[schemars(regex(pattern = r"^[a-z]+$"))]
    code: String,
}

async fn order(State(prefix): State<&'static str>, order: Order) -> Result<String, JobError> {
    Ok(format!("{prefix}{}", order.name))
}

fn registry() -> Registry<&'static str> {
    Registry::with_state("order of ")
        .register_validated(kind("checked"), order)
        .register(kind("trusted"), order)
}

#[tokio::test]
async fn what_fits_is_run() {
    let harness = Harness::new(registry());
    for payload in [
        json!({"name": "ada", "amount": 1}),
        json!({"name": "ada", "amount": 10, "lines": [{"code": "a"}], "contact": "a@b.c"}),
    ] {
        let ran = harness.run("checked", payload).await;
        assert_eq!(ran.outcome, Outcome::Completed(json!("order of ada")));
    }
}

#[tokio::test]
async fn what_does_not_fit_fails_for_good_and_says_where() {
    let harness = Harness::new(registry());
    for (payload, places) in [
        (json!({"name": "", "amount": 1}), &["/name"][..]),
        (
            json!({"name": "secret", "amount": 11}),
            &["/name", "/amount"],
        ),
        (json!({"name": "ada", "amount": 0}), &["/amount"]),
        (json!({"name": "ada"}), &["the whole: \"amount\""]),
        (json!({"name": "ada", "amount": "many"}), &["/amount"]),
        (
            json!({"name": "ada", "amount": 1, "lines": [{"code": "a"}, {"code": "B"}]}),
            &["/lines/1/code"],
        ),
        (
            json!({"name": "ada", "amount": 1, "contact": "nobody"}),
            &["/contact"],
        ),
        (json!(7), &["the whole"]),
    ] {
        let ran = harness.run("checked", &payload).await;
        let Outcome::Failed { failure, retry } = ran.outcome else {
            panic!("{payload}: {ran:?}");
        };
        assert_eq!((failure.code, retry), (FailureCode::Undecodable, None));
        for place in places {
            assert!(failure.message.contains(place), "{payload}: {failure}");
        }
        assert!(!failure.message.contains("secret"), "{failure}");
    }
}

#[tokio::test]
async fn a_message_names_only_so_many_places() {
    async fn numbers(_: Vec<u8>) -> Result<(), JobError> {
        Ok(())
    }
    let registry = Registry::new().register_validated(kind("numbers"), numbers);
    let ran = Harness::new(registry).run("numbers", vec!["x"; 1000]).await;
    let message = &ran.outcome.failure().unwrap().message;
    assert!(
        message.contains("/7") && !message.contains("/8"),
        "{message}"
    );
    assert!(message.ends_with("; and more"), "{message}");
}

#[tokio::test]
async fn who_does_not_ask_for_a_check_gets_none() {
    let harness = Harness::new(registry());
    let ran = harness
        .run("trusted", json!({"name": "", "amount": 0}))
        .await;
    assert_eq!(ran.outcome, Outcome::Completed(json!("order of ")));
}

#[test]
fn schemas_can_be_published() {
    let registry = registry();
    let service = registry.clone().into_service();
    for schemas in [registry.schemas(), service.schemas()] {
        assert_eq!(
            schemas.keys().copied().collect::<Vec<_>>(),
            [&kind("checked")]
        );
        let schema = schemas[&kind("checked")];
        assert_eq!(schema["properties"]["amount"]["maximum"], 10);
        assert_eq!(schema["properties"]["name"]["maxLength"], 5);
        assert_eq!(schema["required"], json!(["name", "amount"]));
    }
}

#[test]
fn a_kind_that_is_registered_anew_loses_its_schema() {
    let registry = registry().register(kind("checked"), order);
    assert!(registry.schemas().is_empty());
}

#[test]
#[should_panic(expected = "the schema of Broken is none")]
fn a_schema_that_is_none_shows_at_the_start() {
    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code, reason = "never decoded")]
    struct Broken {
        #[schemars(regex(pattern = "("))]
        text: String,
    }
    let _ = Registry::new().register_validated(kind("broken"), async |_: Broken| Ok(()));
}
