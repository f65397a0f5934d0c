//! Who may not use the admin API changes nothing: without its token, with a client's, or from another page.

use protocol::{JobOptions, JobState};
use serde_json::Value;

use crate::{
    http::{Answered, Http, manager},
    rig::{Rig, name},
};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Everything that the API can do: methods, paths and bodies.
fn verbs(http: &Http, id: &str) -> Vec<(String, String, &'static str)> {
    let description = http.bearer(TOKEN).get("/api/openapi.json").ok();
    let mut verbs = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let path = path
                .replace("{queue}", "chat")
                .replace("{id}", id)
                .replace("{name}", "report");
            let body = match path.rsplit('/').next().unwrap() {
                "bulk" => r#"{"verb":"delete","states":["waiting"]}"#,
                "jobs" => r#"{"kind":"a","payload":1}"#,
                "report" if method == "put" => {
                    r#"{"when":{"every_ms":60000},"job":{"kind":"a","payload":1}}"#
                }
                "priority" => r#"{"priority":"high"}"#,
                _ => "{}",
            };
            verbs.push((method.to_uppercase(), path, body));
        }
    }
    assert!(verbs.len() > 15, "{verbs:?}");
    verbs
}

async fn unchanged(rig: &Rig, id: protocol::JobId) {
    let (counts, totals) = rig.inspector.counts(&name("chat")).await.unwrap();
    assert_eq!((counts.waiting, totals.enqueued, totals.deleted), (1, 1, 0));
    let job = rig.inspector.get(&name("chat"), id).await.unwrap().unwrap();
    assert_eq!(
        (job.state, job.priority),
        (JobState::Waiting, protocol::Priority::Normal)
    );
    assert!(!rig.inspector.settings(&name("chat")).await.unwrap().paused);
    let schedules = queue::ScheduleBook::new(rig.redis.clone(), broker::QueueArgs::default());
    assert!(schedules.list(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_has_no_token_can_do_nothing() {
    let rig = Rig::start("token").await;
    let (process, http) = manager(&rig, &["--admin-token", TOKEN]).await;
    let id = rig.submit("chat", "done", "1", JobOptions::default()).await;
    // As a client of the servers has one.
    let client = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl";
    let strangers = [
        http.clone(),
        http.bearer(client),
        http.bearer(""),
        http.bearer(&TOKEN[1..]),
        http.with("Authorization", TOKEN),
        http.with("Authorization", &format!("Basic {TOKEN}")),
    ];
    for (method, path, body) in verbs(&http, &id.to_string()) {
        for stranger in &strangers {
            let json = stranger.with("Content-Type", "application/json");
            json.ask(&method, &path, body).refuses(401, "unauthorized");
            stranger
                .ask(&method, &format!("{path}?token={TOKEN}"), body)
                .refuses(401, "unauthorized");
        }
    }
    http.get("/api/v1/nothing").refuses(401, "unauthorized");
    http.get("/api/openapi.json").refuses(401, "unauthorized");
    unchanged(&rig, id).await;
    let own = http.bearer(TOKEN);
    assert_eq!(own.get("/api/v1/queues").ok()["queues"][0]["queue"], "chat");
    assert!(!process.err().contains(TOKEN), "{}", process.err());
}

#[tokio::test]
async fn a_page_of_another_origin_can_do_nothing() {
    let rig = Rig::start("origin").await;
    let (_process, http) = manager(&rig, &[]).await;
    let id = rig.submit("chat", "done", "1", JobOptions::default()).await;
    let json = http.with("Content-Type", "application/json");
    for (method, path, body) in verbs(&http, &id.to_string()) {
        for origin in ["http://evil.example.com", "null", "http://127.0.0.1:1"] {
            let answer = json.with("Origin", origin).ask(&method, &path, body);
            answer.refuses(403, "origin_refused");
            assert!(!answer.head.contains("access-control"), "{answer:?}");
        }
        // A name that was pointed at this machine.
        let answer = json
            .with("Host", "evil.example.com")
            .ask(&method, &path, body);
        answer.refuses(403, "origin_refused");
        // What a form of another page can send, should a browser send no origin along.
        if method != "GET" {
            for form in [
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
                "text/plain",
                "",
            ] {
                let answer = http.with("Content-Type", form).ask(&method, &path, body);
                answer.refuses(415, "unsupported_media_type");
            }
        }
    }
    unchanged(&rig, id).await;
    let own = json.with("Origin", &format!("http://{}", http.address));
    let paused = own.ask("POST", "/api/v1/queues/chat/pause", "{}");
    assert_eq!(paused.ok()["paused"], true);
}

#[tokio::test]
async fn an_open_address_needs_a_token() {
    let rig = Rig::start("open").await;
    let refused = rig.run(&["--listen", "0.0.0.0:0"]);
    assert!(
        refused.err.contains("without authentication"),
        "{refused:?}"
    );
    let short = rig.run(&["--listen", "127.0.0.1:0", "--admin-token", "secret"]);
    assert!(
        short.err.contains("at least 16") && !short.err.contains("secret\""),
        "{short:?}"
    );
    let (_process, http) = manager(&rig, &["--listen=0.0.0.0:0", "--admin-token", TOKEN]).await;
    let mut http = http;
    http.address = http.address.replace("0.0.0.0", "127.0.0.1");
    let answer: Answered = http.bearer(TOKEN).get("/api/v1/queues");
    assert_eq!(answer.ok()["queues"], Value::Array(Vec::new()));
}
