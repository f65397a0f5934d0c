//! The HTTP APIs against their own descriptions: schemathesis sends what these allow, and much that they do not, and no
//! answer may be one that is not described.
//!
//! `SCHEMATHESIS_EXAMPLES=500 cargo nextest run -p e2e properties` looks longer.

use e2e::{Settings, System};
use protocol::JobOptions;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sdk::{runtime::Runtime, script::Script};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[derive(Deserialize)]
struct Report {
    code: i32,
    said: Vec<String>,
}

async fn ask(mut settings: Value) {
    let examples = std::env::var("SCHEMATHESIS_EXAMPLES");
    let examples: u32 = examples.map_or(8, |text| text.parse().expect("a number"));
    settings["examples"] = json!(examples);
    settings["seed"] = json!(20_261_125);
    let script = Script::start(Runtime::Python, "properties", &settings);
    let report: Report = script.report().await;
    assert_eq!(report.code, 0, "{}", report.said.join("\n"));
    let tested = report.said.iter().any(|line| line.contains("Tested: "));
    assert!(tested, "{}", report.said.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_api_is_as_it_is_described() {
    let system = System::start(Settings {
        servers: 0,
        manager: vec!["--admin-token".to_owned(), TOKEN.to_owned()],
        ..Settings::default()
    })
    .await;
    crate::jobs::submit(
        &system,
        protocol::CHAT_KIND,
        r#"{"msg":"hi"}"#,
        JobOptions::default(),
    )
    .await;
    let port = system.managers[0].port();
    ask(json!({
        "url": format!("http://127.0.0.1:{port}/api/openapi.json"),
        "token": TOKEN,
        // One goes on for ever; of the other no form says which crons mean something.
        "exclude": ["/api/v1/stream", "/api/v1/queues/{queue}/schedules/{name}"],
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_servers_api_is_as_it_is_described() {
    let system = System::start(Settings::default()).await;
    let port = system.servers[0].port();
    ask(json!({ "url": format!("http://127.0.0.1:{port}/openapi.json") })).await;
}
