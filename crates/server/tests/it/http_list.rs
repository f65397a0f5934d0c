//! Listing jobs over HTTP.

use std::collections::BTreeSet;

use broker::testing::TestRedis;
use serde_json::{Value, json};

use crate::{
    gateway::Gateway,
    http::{Http, KEYS, token},
    http_stream::Worker,
};

const JOBS: &str = "/v1/queues/chat/jobs";

/// All pages of a list, and how many there were.
pub(crate) async fn all(http: &Http, query: &str) -> (Vec<Value>, usize) {
    let (mut jobs, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let answer = http.get(&format!("{JOBS}?{query}{cursor}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let page = answer.json();
        jobs.extend(page["jobs"].as_array().unwrap().clone());
        pages += 1;
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (jobs, pages),
        }
    }
}

fn ids(jobs: &[Value]) -> Vec<&str> {
    jobs.iter().map(|job| job["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_have_each_job_once() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let job = |n: usize| {
        let priority = ["high", "normal", "low"][n % 3];
        let kind = if n < 8 { "a" } else { "b" };
        json!({"kind": kind, "payload": n, "options": {"priority": priority}})
    };
    let jobs: Vec<_> = (0..30).map(job).collect();
    let bulk = format!("{JOBS}/bulk");
    let answer = http.post(&bulk, &json!({ "jobs": jobs })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let (waiting, pages) = all(&http, "state=waiting&limit=7").await;
    assert_eq!((waiting.len(), pages), (30, 5));
    let distinct: BTreeSet<_> = ids(&waiting).into_iter().collect();
    assert_eq!(distinct.len(), 30);
    assert_eq!(waiting[0]["priority"], "high");
    assert_eq!(waiting[29]["priority"], "low");
    assert!(waiting.iter().all(|job| job.get("payload").is_none()));
    assert_eq!(all(&http, "kind=a&limit=3").await.0.len(), 8);
    assert_eq!(all(&http, "state=completed").await.0.len(), 0);

    // Those that are over, from the newest.
    for id in ids(&waiting).into_iter().take(9) {
        http.ask("POST", &format!("{JOBS}/{id}/cancel"), "").await;
    }
    let (cancelled, pages) = all(&http, "state=cancelled&limit=2").await;
    assert_eq!((cancelled.len(), pages), (9, 5));
    let times: Vec<_> = cancelled
        .iter()
        .map(|job| job["finished_at"].as_u64())
        .collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let mut worker = Worker::of(&redis);
    for _ in 0..3 {
        worker.claim().await;
    }
    assert_eq!(all(&http, "state=active&limit=2").await.0.len(), 3);
    http.submit(json!({"kind": "c", "options": {"delay_ms": 60_000}}))
        .await;
    assert_eq!(all(&http, "state=delayed").await.0.len(), 1);
    let (everything, _) = all(&http, "limit=4").await;
    let distinct: BTreeSet<_> = ids(&everything).into_iter().collect();
    assert_eq!((everything.len(), distinct.len()), (31, 31));
    gateway.end().await;
}

#[tokio::test]
async fn a_list_holds_only_ones_own_jobs_and_a_page_costs_a_bounded_time() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[KEYS]).await;
    let http = Http::of(&gateway);
    let alice = http.bearer(&token(&json!({"sub": "alice"})));
    let bob = http.bearer(&token(&json!({"sub": "bob"})));
    let mine = alice.submit(json!({"kind": "a"})).await;
    alice.ask("POST", &format!("{mine}/cancel"), "").await;
    // Much more of somebody else's than one page looks at, and newer.
    let many: Vec<_> = (0..1_000).map(|_| json!({"kind": "a"})).collect();
    for _ in 0..2 {
        let bulk = format!("{JOBS}/bulk");
        let answer = bob.post(&bulk, &json!({ "jobs": many })).await;
        let results = answer.json()["results"].as_array().unwrap().clone();
        let redis = redis.connect("dwb");
        let control = broker::Control::new(redis, broker::QueueArgs::default());
        let ids: Vec<_> = ids(&results).iter().map(|id| id.parse().unwrap()).collect();
        let queue = "chat".parse().unwrap();
        control.cancel(&queue, &ids, None).await.unwrap();
    }
    let (jobs, pages) = all(&alice, "state=cancelled").await;
    assert_eq!(ids(&jobs), [mine.rsplit_once('/').unwrap().1]);
    assert!(pages > 1, "the work was bounded");
    assert_eq!(all(&bob, "limit=100").await.0.len(), 2_000);
    assert_eq!(all(&alice, "state=waiting").await.0.len(), 0);
    gateway.end().await;
}

#[tokio::test]
async fn what_can_not_be_asked_is_refused() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    for (query, code) in [
        ("state=x", "malformed"),
        ("state=waiting&state=active", "malformed"),
        ("limit=0", "malformed"),
        ("limit=101", "malformed"),
        ("kind=a%20b", "invalid_name"),
    ] {
        let answer = http.get(&format!("{JOBS}?{query}")).await;
        answer.refuses(400, code);
    }
    let foreign = http.get(&format!("{JOBS}?cursor=x")).await;
    foreign.refuses(404, "not_found");
    // A place in another list, and one in another tenant's line.
    for place in [
        r#"{"set":"completed","score":"1","id":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}"#,
        r#"{"set":"wait:1:bob","score":"1","id":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}"#,
    ] {
        use base64::Engine as _;
        let cursor = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(place);
        let path = format!("{JOBS}?state=waiting&cursor={cursor}");
        http.get(&path).await.refuses(404, "not_found");
    }
    http.get("/v1/queues/other/jobs")
        .await
        .refuses(404, "not_found");
    gateway.end().await;
}
