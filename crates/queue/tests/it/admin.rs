//! What operators ask of the admin API and do with it.

use std::time::Duration;

use protocol::JobOptions;
use serde_json::{Value, json};

use crate::{
    http::{Http, manager},
    rig::{Rig, Worker},
};

const LEASE: Duration = Duration::from_secs(10);

fn once() -> JobOptions {
    JobOptions {
        max_attempts: 1,
        ..JobOptions::default()
    }
}

/// Lines of JSON, the last of them last.
fn bulk(http: &Http, order: &Value) -> Vec<Value> {
    let answer = http.post("/api/v1/queues/chat/bulk", &order.to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
    let lines = answer.body.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_queue_is_looked_at_and_paused() {
    let rig = Rig::start("look").await;
    let (_process, http) = manager(&rig, &[]).await;
    assert_eq!(http.get("/api/v1/queues").ok()["queues"], json!([]));
    http.get("/api/v1/queues/chat").refuses(404, "not_found");
    http.get("/api/v1/queues/no:name").refuses(404, "not_found");
    let id = rig.submit("chat", "done", "1", once()).await;
    let queue = http.get("/api/v1/queues/chat").ok();
    assert_eq!(
        (&queue["jobs"]["waiting"], &queue["queue"]),
        (&json!(1), &json!("chat"))
    );
    assert!(queue["oldest_waiting_ms"].is_u64() && queue["latency"].is_null());

    http.post("/api/v1/queues/chat/pause", "[]")
        .refuses(400, "malformed");
    assert_eq!(
        http.post("/api/v1/queues/chat/pause", "{}").ok(),
        json!({"paused": true})
    );
    assert_eq!(
        http.get("/api/v1/queues").ok()["queues"][0]["settings"]["paused"],
        true
    );
    let lines = http.lines_until("/api/v1/stream", "\"paused\"");
    assert!(
        lines.last().unwrap().contains(r#""paused":true"#),
        "{lines:?}"
    );
    assert_eq!(
        http.post("/api/v1/queues/chat/resume", "{}").ok(),
        json!({"paused": false})
    );

    let worker = Worker::start(&rig, "chat", LEASE);
    rig.until_state("chat", id, "completed").await;
    let queue = http.get("/api/v1/queues/chat").ok();
    assert_eq!(queue["latency"]["samples"], 1);
    let workers = http.get("/api/v1/workers").ok();
    assert_eq!(
        (
            &workers["workers"][0]["name"],
            &workers["workers"][0]["queue"]
        ),
        (&json!("w-1"), &json!("chat"))
    );
    let tenants = http.get("/api/v1/queues/chat/tenants").ok();
    assert_eq!(tenants["tenants"], json!([]));
    let redis = http.get("/api/v1/redis").ok();
    assert_eq!(redis["replication"]["role"], "master");
    let history = http.get("/api/v1/queues/chat/history").ok();
    assert_eq!(history["step_ms"], 60_000);
    for wrong in ["step_ms=1", "since_ms=1", "since_ms=x"] {
        let path = format!("/api/v1/queues/chat/history?{wrong}");
        http.get(&path).refuses(400, "malformed");
    }
    worker.kill();
}

#[tokio::test]
async fn a_failed_job_is_found_by_its_error_and_run_again() {
    let rig = Rig::start("find").await;
    let (_process, http) = manager(&rig, &[]).await;
    let worker = Worker::start(&rig, "chat", LEASE);
    let mut ids = Vec::new();
    for n in 0..3 {
        let payload = format!("\"no route to host {n}\"");
        let id = rig.submit("chat", "fail", &payload, once()).await;
        rig.until_state("chat", id, "failed").await;
        ids.push(id);
    }
    worker.kill();
    let errors = http.get("/api/v1/queues/chat/errors").ok();
    assert_eq!(errors["groups"][0]["message"], "no route to host #");
    assert_eq!(errors["groups"][0]["count"], 3);
    let list = "/api/v1/queues/chat/jobs?state=failed";
    let found = http.get(&format!("{list}&text=host+1")).ok();
    assert_eq!(found["jobs"][0]["id"], json!(ids[1]));
    assert_eq!(
        (found["jobs"].as_array().unwrap().len(), &found["next"]),
        (1, &Value::Null)
    );
    assert!(found["jobs"][0]["payload"].is_null());

    let first = http.get(&format!("{list}&limit=2")).ok();
    let next = first["next"].as_str().unwrap();
    let rest = http.get(&format!("{list}&limit=2&cursor={next}")).ok();
    assert_eq!(rest["jobs"][0]["id"], json!(ids[0]));
    for wrong in ["limit=0", "limit=501", "kind=%00", "error=nope"] {
        http.get(&format!("{list}&{wrong}"))
            .refuses(400, "malformed");
    }
    http.get(&format!("{list}&cursor=x"))
        .refuses(404, "not_found");
    http.get("/api/v1/queues/chat/jobs")
        .refuses(400, "malformed");

    let job = format!("/api/v1/queues/chat/jobs/{}", ids[1]);
    let whole = http.get(&job).ok();
    assert_eq!(
        (&whole["payload"], &whole["error"]["code"]),
        (&json!("no route to host 1"), &json!("error"))
    );
    assert_eq!(http.get(&format!("/api/v1/jobs/{}", ids[1])).ok(), whole);
    let log = http.get(&format!("{job}/events")).ok();
    let told: Vec<_> = log["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["event"]["type"])
        .collect();
    assert_eq!(told, ["queued", "started", "failed"]);
    let stream = http.lines_until(&format!("{job}/stream"), "event: failed");
    assert!(stream.contains(&"event: started".to_owned()));

    assert_eq!(
        http.post(&format!("{job}/retry"), "{}").ok()["outcome"],
        "done"
    );
    http.post(&format!("{job}/retry"), "{}")
        .refuses(409, "conflict");
    http.post(&format!("{job}/nope"), "{}")
        .refuses(404, "not_found");
    assert_eq!(
        http.post(&format!("{job}/priority"), r#"{"priority":"high"}"#)
            .ok()["outcome"],
        "done"
    );
    http.post(&format!("{job}/priority"), r#"{"priority":"top"}"#)
        .refuses(400, "malformed");
    assert_eq!(
        http.post(&format!("{job}/cancel"), "{}").ok()["outcome"],
        "done"
    );
    let json = http.with("Content-Type", "application/json");
    assert_eq!(json.ask("DELETE", &job, "{}").ok()["outcome"], "done");
    http.get(&job).refuses(404, "not_found");
    json.ask("PUT", &job, "{}")
        .refuses(405, "method_not_allowed");
}

#[tokio::test]
async fn a_job_is_handed_in_and_followed_to_its_end() {
    let rig = Rig::start("hand").await;
    let (_process, http) = manager(&rig, &[]).await;
    let jobs = "/api/v1/queues/chat/jobs";
    let new = r#"{"kind":"done","payload":{"n":1e2},"key":"k","delay_ms":3600000}"#;
    let stored = http.post(jobs, new);
    assert_eq!(stored.status, 201, "{stored:?}");
    let id = stored.ok()["id"].as_str().unwrap().to_owned();
    assert!(
        stored
            .head
            .contains(&format!("location: {jobs}/{}", id.to_lowercase()))
    );
    let again = http.post(jobs, new);
    assert_eq!(
        (again.status, &again.ok()["duplicate"]),
        (200, &json!(true))
    );
    http.post(jobs, r#"{"kind":"done","payload":2,"key":"k"}"#)
        .refuses(409, "conflict");
    http.post(jobs, r#"{"kind":"done"}"#)
        .refuses(400, "malformed");
    http.post(jobs, r#"{"kind":"done","payload":1,"max_attempts":0}"#)
        .refuses(400, "invalid_job");

    let worker = Worker::start(&rig, "chat", LEASE);
    let job = format!("{jobs}/{id}");
    let stream = http.send("GET", &format!("{job}/stream"), "");
    assert_eq!(
        http.post(&format!("{job}/run-now"), "{}").ok()["outcome"],
        "done"
    );
    // It ends by itself after the last event.
    let lines: Vec<_> = std::io::BufRead::lines(stream)
        .map(Result::unwrap)
        .collect();
    let told: Vec<_> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    assert_eq!(told, ["queued", "started", "completed"]);
    // Byte for byte.
    let answer = http.get(&job);
    assert!(answer.body.contains(r#""result":{"n":1e2}"#), "{answer:?}");
    worker.kill();
}

#[tokio::test]
async fn many_jobs_are_changed_at_once() {
    let rig = Rig::start("many").await;
    let (_process, http) = manager(&rig, &[]).await;
    rig.submit_many("chat", 700, |n| JobOptions {
        tenant: if n % 7 == 0 { "ann" } else { "bob" }.parse().unwrap(),
        delay_ms: 3_600_000,
        ..JobOptions::default()
    })
    .await;
    let order = json!({"verb": "cancel", "states": ["delayed"], "tenant": "ann"});
    let mut dry = order.clone();
    dry["dry_run"] = json!(true);
    let last = bulk(&http, &dry).pop().unwrap();
    assert_eq!(
        (&last["matched"], &last["done"], &last["end"]),
        (&json!(100), &json!(0), &json!(true))
    );
    let last = bulk(&http, &order).pop().unwrap();
    assert_eq!(
        (&last["done"], &last["looked"], &last["of"]),
        (&json!(100), &json!(700), &json!(700))
    );
    let few = json!({"verb": "retry", "states": ["cancelled"], "limit": 30});
    assert_eq!(bulk(&http, &few).pop().unwrap()["done"], 30);
    let now = json!({"verb": "run_now", "states": ["delayed"], "older_than_ms": 3_600_000});
    assert_eq!(bulk(&http, &now).pop().unwrap()["done"], 0);
    let now = json!({"verb": "run_now", "states": ["delayed"]});
    assert_eq!(bulk(&http, &now).pop().unwrap()["done"], 600);
    let gone = json!({"verb": "delete", "states": ["waiting", "cancelled"]});
    assert_eq!(bulk(&http, &gone).pop().unwrap()["done"], 700);
    for wrong in [
        json!({"verb": "retry", "states": []}),
        json!({"verb": "retry", "states": ["active"]}),
        json!({"verb": "explode", "states": ["failed"]}),
        json!({"verb": "retry", "states": ["failed"], "limit": 0}),
        json!({"verb": "retry", "states": ["failed"], "dryrun": true}),
    ] {
        let answer = http.post("/api/v1/queues/chat/bulk", &wrong.to_string());
        let code = if wrong["states"][0] == "active" {
            (409, "conflict")
        } else {
            (400, "malformed")
        };
        answer.refuses(code.0, code.1);
    }
}

#[tokio::test]
async fn without_redis_it_says_so() {
    let mut rig = Rig::start("away").await;
    let (_process, http) = manager(&rig, &[]).await;
    assert_eq!(http.get("/api/v1/queues").status, 200);
    rig.server.kill();
    let answer = http.get("/api/v1/queues");
    answer.refuses(503, "unavailable");
    assert!(answer.head.contains("retry-after: "), "{answer:?}");
    http.post("/api/v1/queues/chat/jobs", r#"{"kind":"a","payload":1}"#)
        .refuses(503, "unavailable");
    let lines = http.lines_until("/api/v1/stream", "data: ");
    assert!(lines.contains(&"event: away".to_owned()), "{lines:?}");
}
