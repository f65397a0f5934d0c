//! The job verbs over HTTP.

use broker::testing::TestRedis;
use serde_json::json;

use crate::{
    gateway::Gateway,
    http::{Http, KEYS, token},
};

const JOBS: &str = "/v1/queues/chat/jobs";

#[tokio::test]
async fn a_job_is_handed_in_looked_at_cancelled_and_run_again() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let job = json!({"kind": "report", "payload": {"a": 1}, "options": {"priority": "high"}});
    let answer = http.post(JOBS, &job).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let accepted = answer.json();
    let id = accepted["id"].as_str().unwrap();
    assert_eq!(accepted["duplicate"], false);
    assert_eq!(accepted["channel"], format!("chat:{id}"));
    let path = format!("{JOBS}/{id}");
    let location = answer.header("location").unwrap();
    assert_eq!(location, path.to_ascii_lowercase());

    let record = http.get(&path).await;
    assert_eq!(record.status, 200, "{record:?}");
    assert_eq!(record.header("cache-control"), Some("no-store"));
    let record = record.json();
    assert_eq!(record["state"], "waiting");
    assert_eq!(record["payload"], json!({"a": 1}));
    assert_eq!(record["priority"], "high");

    let cancelled = http.ask("POST", &format!("{path}/cancel"), "").await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    assert_eq!(cancelled.json(), json!({"id": id, "outcome": "done"}));
    assert_eq!(http.get(&path).await.json()["state"], "cancelled");
    let again = http.ask("POST", &format!("{path}/cancel"), "").await;
    again.refuses(409, "conflict");

    let again = http.ask("POST", &format!("{path}/retry"), "").await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(http.get(&path).await.json()["state"], "waiting");
    let again = http.ask("POST", &format!("{path}/retry"), "").await;
    again.refuses(409, "conflict");
    // Nothing deletes a job but time.
    let gone = http.ask("DELETE", &path, "").await;
    gone.refuses(405, "method_not_allowed");

    for path in [
        "/v1/queues/other/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/v1/queues/chat/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/v1/queues/chat/jobs/x",
    ] {
        http.get(path).await.refuses(404, "not_found");
    }
    let answer = http.get("/v1/queues/a%20b/jobs/x").await;
    answer.refuses(400, "invalid_name");
    gateway.end().await;
}

#[tokio::test]
async fn handing_in_again_is_safe() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let named = json!({"kind": "a", "id": id});
    assert_eq!(http.post(JOBS, &named).await.status, 201);
    let again = http.post(JOBS, &named).await;
    assert_eq!(again.status, 200, "{again:?}");
    let again = again.json();
    assert_eq!(
        (&again["duplicate"], &again["state"]),
        (&json!(true), &json!("waiting"))
    );

    let keyed = http.with("Idempotency-Key", "order:17");
    let job = json!({"kind": "a", "payload": 1});
    let first = keyed.post(JOBS, &job).await;
    assert_eq!(first.status, 201, "{first:?}");
    let second = keyed.post(JOBS, &job).await;
    assert_eq!(second.status, 200, "{second:?}");
    assert_eq!(first.json()["id"], second.json()["id"]);
    let other = json!({"kind": "a", "payload": 2});
    keyed.post(JOBS, &other).await.refuses(409, "conflict");
    let differs = json!({"kind": "a", "options": {"key": "other"}});
    keyed.post(JOBS, &differs).await.refuses(409, "conflict");
    let bad = http.with("Idempotency-Key", "a b");
    bad.post(JOBS, &job).await.refuses(400, "malformed");
    gateway.end().await;
}

#[tokio::test]
async fn many_are_handed_in_together_and_in_order() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let bulk = format!("{JOBS}/bulk");
    let jobs: Vec<_> = (0..500)
        .map(|n| json!({"kind": "a", "payload": n}))
        .collect();
    let answer = http.post(&bulk, &json!({"jobs": jobs})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let results = answer.json()["results"].as_array().unwrap().clone();
    assert_eq!(results.len(), 500);
    let last = results[499]["id"].as_str().unwrap();
    let record = http.get(&format!("{JOBS}/{last}")).await.json();
    assert_eq!(record["payload"], 499);
    let line: Vec<String> = redis
        .command(&["ZRANGE", "dwb{chat}:wait:1:public", "0", "-1"])
        .await;
    let ids: Vec<_> = results
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(line, ids);

    // One that is wrong refuses all; one whose key is taken does not.
    let wrong = json!({"jobs": [{"kind": "a"}, {"kind": "a b"}]});
    let answer = http.post(&bulk, &wrong).await;
    answer.refuses(400, "invalid_name");
    assert!(answer.body.contains("jobs[1]"), "{answer:?}");
    let keyed = |payload| json!({"kind": "a", "payload": payload, "options": {"key": "k"}});
    let mixed = json!({"jobs": [keyed(1), keyed(2), {"kind": "b"}, keyed(1)]});
    let results = http.post(&bulk, &mixed).await.json()["results"].clone();
    assert_eq!(results[0]["duplicate"], false);
    assert_eq!(results[1]["code"], "conflict");
    assert_eq!(results[2]["duplicate"], false);
    assert_eq!(results[3]["id"], results[0]["id"]);
    let waiting: u64 = redis.command(&["ZCARD", "dwb{chat}:wait:1:public"]).await;
    assert_eq!(waiting, 502);
    for jobs in [json!([]), json!(vec![json!({"kind": "a"}); 1001])] {
        let answer = http.post(&bulk, &json!({"jobs": jobs})).await;
        answer.refuses(400, "malformed");
    }
    gateway.end().await;
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--max-waiting=1"]).await;
    let http = Http::of(&gateway);
    let job = json!({"kind": "a"});
    assert_eq!(http.post(JOBS, &job).await.status, 201);
    http.post(JOBS, &job).await.refuses(429, "queue_full");
    gateway.end().await;
}

#[tokio::test]
async fn without_redis_nothing_is_promised() {
    let redis = TestRedis::stopped(&[]);
    let settings = ["--redis-timeout-ms=200", "--accept-timeout-ms=200"];
    let gateway = Gateway::start(&redis, &settings).await;
    let http = Http::of(&gateway);
    let job = json!({"kind": "a"});
    http.post(JOBS, &job).await.refuses(503, "unavailable");
    let path = format!("{JOBS}/01ARZ3NDEKTSV4RRFFQ69G5FAV");
    http.get(&path).await.refuses(503, "unavailable");
    gateway.end().await;
}

#[tokio::test]
async fn a_token_is_needed_and_says_what_may_be_done() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[KEYS]).await;
    let http = Http::of(&gateway);
    let job = json!({"kind": "a"});
    let answer = http.post(JOBS, &job).await;
    answer.refuses(401, "token_required");
    assert_eq!(answer.header("www-authenticate"), Some("bearer"));
    let old = http.bearer(&token(&json!({"sub": "alice", "exp": 1})));
    old.post(JOBS, &job).await.refuses(401, "token_expired");
    for wrong in ["x", "a.b.c"] {
        let wrong = http.bearer(wrong);
        wrong.post(JOBS, &job).await.refuses(401, "token_invalid");
    }
    let basic = http.with("Authorization", "Basic YTpi");
    basic.post(JOBS, &job).await.refuses(401, "token_invalid");

    let alice = http.bearer(&token(&json!({"sub": "alice"})));
    assert_eq!(alice.post(JOBS, &job).await.status, 201);
    let theirs = json!({"kind": "a", "options": {"topic": "bob.x"}});
    alice
        .post(JOBS, &theirs)
        .await
        .refuses(403, "permission_denied");
    let narrow = json!({"sub": "alice", "queues": ["mail"], "kinds": ["a"]});
    let narrow = http.bearer(&token(&narrow));
    narrow
        .post(JOBS, &job)
        .await
        .refuses(403, "permission_denied");
    let kinds = http.bearer(&token(&json!({"sub": "alice", "kinds": ["b"]})));
    kinds
        .post(JOBS, &job)
        .await
        .refuses(403, "permission_denied");
    gateway.end().await;
}

#[tokio::test]
async fn a_job_of_another_tenant_does_not_exist() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[KEYS]).await;
    let http = Http::of(&gateway);
    let alice = http.bearer(&token(&json!({"sub": "alice"})));
    let bob = http.bearer(&token(&json!({"sub": "bob"})));
    let path = alice
        .submit(json!({"kind": "a", "payload": "secret"}))
        .await;
    for (method, path) in [
        ("GET", path.clone()),
        ("POST", format!("{path}/cancel")),
        ("POST", format!("{path}/retry")),
    ] {
        bob.ask(method, &path, "").await.refuses(404, "not_found");
    }
    let record = alice.get(&path).await.json();
    assert_eq!(
        (&record["state"], &record["tenant"]),
        (&json!("waiting"), &json!("alice"))
    );
    // The same id, handed in by somebody else, tells nothing of the job.
    let id = path.rsplit_once('/').unwrap().1;
    let answer = bob.post(JOBS, &json!({"kind": "a", "id": id})).await;
    answer.refuses(409, "conflict");
    gateway.end().await;
}

#[tokio::test]
async fn each_client_may_ask_and_hand_in_only_so_often() {
    let redis = TestRedis::start().await;
    let settings = [KEYS, "--max-commands-per-second=1"];
    let gateway = Gateway::ready(&redis, &settings).await;
    let http = Http::of(&gateway);
    let slow = json!({"sub": "alice", "limits": {"max_submits_per_second": 1}});
    let alice = http.bearer(&token(&slow));
    let bob = http.bearer(&token(&json!({"sub": "bob"})));
    let job = json!({"kind": "a"});
    let bulk = json!({"jobs": [job, job, job, job]});
    assert_eq!(alice.post(&format!("{JOBS}/bulk"), &bulk).await.status, 200);
    let answer = alice.post(JOBS, &job).await;
    answer.refuses(429, "too_many");
    assert!(
        answer
            .header("retry-after")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= 2
    );
    // Another is not concerned, until it asks too often itself.
    let mut refused = 0;
    for _ in 0..100 {
        let answer = bob.get(JOBS).await;
        if answer.status == 429 {
            answer.refuses(429, "too_many");
            refused += 1;
        }
    }
    assert!(refused > 0);
    gateway.end().await;
}
