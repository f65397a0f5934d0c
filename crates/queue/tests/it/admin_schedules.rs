//! Schedules over the admin API.

use protocol::JobState;
use serde_json::{Value, json};

use crate::{http::manager, rig::Rig};

#[tokio::test]
async fn a_schedule_is_made_changed_run_and_removed() {
    let rig = Rig::start("schedule-api").await;
    let (_process, http) = manager(&rig, &[]).await;
    let json = http.with("Content-Type", "application/json");
    let path = "/api/v1/queues/chat/schedules/report";
    http.get(path).refuses(404, "not_found");
    let said = json!({"when": {"cron": "0 0 3 * * *", "zone": "Europe/Berlin"}, "missed": "catch_up",
        "job": {"kind": "done", "payload": {"n": 1}}});
    let made = json.ask("PUT", path, &said.to_string());
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.ok();
    assert_eq!(
        (&made["name"], &made["missed"], &made["paused"]),
        (&json!("report"), &json!("catch_up"), &json!(false))
    );
    assert!(made["next_at"].is_u64(), "{made}");
    assert_eq!(json.ask("PUT", path, &said.to_string()).status, 200);
    for wrong in [
        json!({"when": {"cron": "nonsense"}, "job": {"kind": "done", "payload": 1}}),
        json!({"when": {"every_ms": 1}, "job": {"kind": "done", "payload": 1}}),
        json!({"when": {"at": 1, "every_ms": 60_000}, "job": {"kind": "done", "payload": 1}}),
        json!({"when": {"at": 1}, "job": {"kind": "done"}}),
        json!({"when": {"at": 1}, "jobs": {"kind": "done", "payload": 1}}),
    ] {
        json.ask("PUT", path, &wrong.to_string())
            .refuses(400, "malformed");
    }
    assert_eq!(
        http.post(&format!("{path}/pause"), "{}").ok()["paused"],
        true
    );
    assert_eq!(
        http.post(&format!("{path}/resume"), "{}").ok()["paused"],
        false
    );
    let job = http.post(&format!("{path}/run"), "{}").ok()["job"]
        .as_str()
        .unwrap()
        .to_owned();
    let record = http.get(&format!("/api/v1/jobs/{job}")).ok();
    assert_eq!(
        (&record["kind"], &record["payload"]),
        (&json!("done"), &json!({"n": 1}))
    );
    assert_eq!(rig.count("chat", JobState::Waiting).await, 1);
    let listed = http.get("/api/v1/queues/chat/schedules").ok();
    assert_eq!(listed["schedules"].as_array().map(Vec::len), Some(1));
    assert_eq!(json.ask("DELETE", path, "{}").ok()["outcome"], "done");
    json.ask("DELETE", path, "{}").refuses(404, "not_found");
    assert_eq!(
        http.get("/api/v1/queues/chat/schedules").ok()["schedules"],
        Value::Array(Vec::new())
    );
}
