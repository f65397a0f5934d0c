//! Events of a job over HTTP: live, resumed, replayed; and waiting for its end.

use broker::testing::TestRedis;
use serde_json::json;

use crate::{
    gateway::Gateway,
    http::{Http, KEYS, seconds_from_now, token},
    http_stream::{Stream, Worker},
    until,
};

#[tokio::test]
async fn events_come_live_and_the_stream_ends_with_the_job() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let mut worker = Worker::of(&redis);
    let job = http.submit(json!({"kind": "a"})).await;
    let mut stream = Stream::open(&http, &format!("{job}/events")).await;
    let queued = stream.next().await.unwrap();
    assert_eq!(queued.event, "queued");
    let (epoch, offset) = queued.id.split_once(':').unwrap();
    assert_eq!((epoch.is_empty(), offset), (false, "1"));
    let id = worker.claim().await;
    assert_eq!(stream.next().await.unwrap().event, "started");
    for n in 0..50 {
        worker.chunk(id, &json!({"n": n, "text": "a\nb"})).await;
        let chunk = stream.next().await.unwrap();
        assert_eq!(chunk.event, "chunk");
        assert_eq!(chunk.json()["data"], json!({"n": n, "text": "a\nb"}));
        assert_eq!(chunk.id, format!("{epoch}:{}", n + 3));
    }
    worker.complete(id, &json!({"done": true})).await;
    let last = stream.next().await.unwrap();
    assert_eq!(last.event, "completed");
    assert_eq!(last.json()["data"], json!({"done": true}));
    assert_eq!(stream.next().await, None);

    // Whoever comes after the end gets all of it; whoever has all of it, nothing.
    let path = format!("{job}/events");
    let mut late = Stream::open(&http, &path).await;
    let all = late.rest().await;
    assert_eq!(all.len(), 53);
    assert_eq!(all.last(), Some(&last));
    let again = http.with("Last-Event-ID", &last.id).get(&path).await;
    assert_eq!((again.status, again.body.as_str()), (204, ""));
    assert_eq!(gateway.metric("ws_connections").await, 0);
    gateway.end().await;
}

#[tokio::test]
async fn a_cut_stream_is_resumed_on_another_server() {
    let redis = TestRedis::start().await;
    let one = Gateway::ready(&redis, &[]).await;
    let two = Gateway::ready(&redis, &[]).await;
    let mut worker = Worker::of(&redis);
    let job = Http::of(&one).submit(json!({"kind": "a"})).await;
    let path = format!("{job}/events");
    let id = worker.claim().await;
    let mut seen: Vec<(String, serde_json::Value)> = Vec::new();
    for n in 0..20 {
        worker.chunk(id, &json!(n)).await;
        let http = Http::of(if n % 2 == 0 { &one } else { &two });
        let mut stream = match seen.last() {
            None => Stream::open(&http, &path).await,
            // As a browser sends it, and as it stands in an address.
            Some((last, _)) if n % 3 == 0 => {
                Stream::open(&http, &format!("{path}?last_event_id={last}")).await
            }
            Some((last, _)) => Stream::open(&http.with("Last-Event-ID", last), &path).await,
        };
        while seen.last().is_none_or(|(_, data)| *data != json!(n)) {
            let event = stream.next().await.unwrap();
            seen.push((event.id.clone(), event.json()["data"].clone()));
        }
    }
    let chunks: Vec<_> = seen.iter().filter_map(|(_, data)| data.as_u64()).collect();
    assert_eq!(chunks, (0..20).collect::<Vec<_>>());
    worker.complete(id, &json!(null)).await;
    let http = Http::of(&two).with("Last-Event-ID", &seen.last().unwrap().0);
    let mut stream = Stream::open(&http, &path).await;
    assert_eq!(stream.types().await, ["completed"]);
    one.end().await;
    two.end().await;
}

#[tokio::test]
async fn of_a_shared_topic_only_the_jobs_own_events_come() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let mut worker = Worker::of(&redis);
    let shared = json!({"kind": "a", "options": {"topic": "shared"}});
    let (first, second) = (http.submit(shared.clone()).await, http.submit(shared).await);
    let mut streams = [
        Stream::open(&http, &format!("{first}/events")).await,
        Stream::open(&http, &format!("{second}/events")).await,
    ];
    let ids = [worker.claim().await, worker.claim().await];
    for n in 0..5 {
        for id in ids {
            worker.chunk(id, &json!([id, n])).await;
        }
    }
    for (id, stream) in ids.into_iter().zip(&mut streams) {
        worker.complete(id, &json!("end")).await;
        let all = stream.rest().await;
        assert_eq!(all.len(), 8, "{all:?}");
        assert!(
            all.iter()
                .all(|event| event.json()["job"] == id.to_string())
        );
    }
    gateway.end().await;
}

#[tokio::test]
async fn a_gap_is_told_and_the_end_all_the_same() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let mut worker = Worker::of(&redis);
    let job = http.submit(json!({"kind": "a"})).await;
    let path = format!("{job}/events");
    let id = worker.claim().await;
    for n in 0..10 {
        worker.chunk(id, &json!(n)).await;
    }
    // The log is cut: of twelve events the last four are left, and the job says so.
    let (log, key) = (
        format!("dwb{{chat}}:log:{id}"),
        format!("dwb{{chat}}:job:{id}"),
    );
    let _: String = redis.command(&["LTRIM", &log, "-4", "-1"]).await;
    let stored: String = redis.command(&["GET", &key]).await;
    assert!(stored.contains(" log=2:1:"), "{stored}");
    let cut = stored.replacen(" log=2:1:", " log=12:9:", 1);
    let _: String = redis.command(&["SET", &key, &cut]).await;
    let (_, place) = stored.split_once(" log=").unwrap();
    let epoch = place.split([':', ';', ' ']).nth(4).unwrap();
    let mut stream = Stream::open(&http, &path).await;
    let gap = stream.next().await.unwrap();
    assert_eq!((gap.event.as_str(), gap.id), ("gap", format!("{epoch}:8")));
    assert_eq!(stream.next().await.unwrap().json()["data"], 6);
    let behind = http.with("Last-Event-ID", &format!("{epoch}:8"));
    let mut behind = Stream::open(&behind, &path).await;
    assert_eq!(behind.next().await.unwrap().json()["data"], 6);
    for place in [
        format!("{epoch}:7"),
        format!("{epoch}:99"),
        "other:9".to_owned(),
    ] {
        let mut stream = Stream::open(&http.with("Last-Event-ID", &place), &path).await;
        assert_eq!(stream.next().await.unwrap().event, "gap", "{place}");
    }
    // The log is gone, the record is not.
    worker.complete(id, &json!({"a": 1})).await;
    let _: u64 = redis.command(&["DEL", &log]).await;
    let mut stream = Stream::open(&http, &path).await;
    let all = stream.rest().await;
    assert_eq!((all.len(), all[0].event.as_str()), (2, "gap"), "{all:?}");
    assert_eq!(all[1].event, "completed");
    assert_eq!(all[1].json()["data"], json!({"a": 1}));
    let again = http.with("Last-Event-ID", &all[1].id).get(&path).await;
    assert_eq!(again.status, 204, "{again:?}");
    let wrong = http.with("Last-Event-ID", "x").get(&path).await;
    wrong.refuses(400, "malformed");
    gateway.end().await;
}

#[tokio::test]
async fn a_job_that_was_run_again_is_followed_to_its_second_end() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let job = http.submit(json!({"kind": "a"})).await;
    http.ask("POST", &format!("{job}/cancel"), "").await;
    let mut first = Stream::open(&http, &format!("{job}/events")).await;
    assert_eq!(first.types().await, ["queued", "cancelled"]);
    let retried = http.ask("POST", &format!("{job}/retry"), "").await;
    assert_eq!(retried.status, 200);
    let mut second = Stream::open(&http, &format!("{job}/events")).await;
    http.ask("POST", &format!("{job}/cancel"), "").await;
    let types = second.types().await;
    assert_eq!(types, ["queued", "cancelled", "queued", "cancelled"]);
    gateway.end().await;
}

#[tokio::test]
async fn a_wait_ends_with_the_job_or_with_its_time() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let mut worker = Worker::of(&redis);
    let job = http.submit(json!({"kind": "a"})).await;
    let record = http.get(&format!("{job}?wait=1ms")).await.json();
    assert_eq!(record["state"], "waiting");
    let id = worker.claim().await;
    let path = format!("{job}?wait=60s");
    let waiting = http.get(&path);
    let working = async {
        until("somebody waits", async || {
            gateway.metric("ws_connections").await == 1
        })
        .await;
        worker.chunk(id, &json!(1)).await;
        worker.complete(id, &json!({"a": 1})).await;
    };
    let (answer, ()) = tokio::join!(waiting, working);
    let record = answer.json();
    assert_eq!(record["state"], "completed");
    assert_eq!(record["result"], json!({"a": 1}));
    assert_eq!(http.get(&path).await.json()["state"], "completed");
    http.get(&format!("{job}?wait=61s"))
        .await
        .refuses(400, "malformed");

    // Who leaves waits no longer.
    let other = http.submit(json!({"kind": "a"})).await;
    let socket = http.send("GET", &format!("{other}?wait=60s"), "").await;
    until("somebody waits", async || {
        gateway.metric("ws_connections").await == 1
    })
    .await;
    drop(socket);
    until("nobody waits", async || {
        gateway.metric("ws_connections").await == 0
    })
    .await;
    assert_eq!(gateway.metric("relay_channels").await, 1, "the lobby alone");
    gateway.end().await;
}

#[tokio::test]
async fn streams_are_limited_and_leave_the_rest_alone() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--max-streams=2"]).await;
    let http = Http::of(&gateway);
    let job = http.submit(json!({"kind": "a"})).await;
    let path = format!("{job}/events");
    let streams = [
        Stream::open(&http, &path).await,
        Stream::open(&http, &path).await,
    ];
    http.get(&path).await.refuses(503, "unavailable");
    let waiting = format!("{job}?wait=1s");
    http.get(&waiting).await.refuses(503, "unavailable");
    assert_eq!(http.get(&job).await.status, 200);
    drop(streams);
    until("there is a place again", async || {
        http.get(&waiting).await.status == 200
    })
    .await;
    gateway.end().await;
}

#[tokio::test]
async fn streams_and_waits_end_when_the_server_stops() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let job = http.submit(json!({"kind": "a"})).await;
    let mut stream = Stream::open(&http, &format!("{job}/events")).await;
    assert_eq!(stream.next().await.unwrap().event, "queued");
    let waiting = format!("{job}?wait=60s");
    let waiting = http.get(&waiting);
    let stopping = async {
        until("both are there", async || {
            gateway.metric("ws_connections").await == 2
        })
        .await;
        gateway.stop();
    };
    let (answer, ()) = tokio::join!(waiting, stopping);
    assert_eq!(answer.json()["state"], "waiting");
    assert_eq!(stream.next().await, None);
    gateway.end().await;
}

#[tokio::test]
async fn events_are_for_the_jobs_tenant_and_for_as_long_as_the_token_says() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[KEYS]).await;
    let http = Http::of(&gateway);
    let alice = token(&json!({"sub": "alice"}));
    let bob = token(&json!({"sub": "bob"}));
    let job = http.bearer(&alice).submit(json!({"kind": "a"})).await;
    let path = format!("{job}/events");
    http.get(&path).await.refuses(401, "token_required");
    http.bearer(&bob).get(&path).await.refuses(404, "not_found");
    let theirs = format!("{job}?wait=1s");
    http.bearer(&bob)
        .get(&theirs)
        .await
        .refuses(404, "not_found");
    http.get(&format!("{path}?token={bob}"))
        .await
        .refuses(404, "not_found");
    // Only a stream takes a token in its address.
    http.get(&format!("{job}?token={alice}"))
        .await
        .refuses(401, "token_required");
    let mut stream = Stream::open(&http, &format!("{path}?token={alice}")).await;
    assert_eq!(stream.next().await.unwrap().event, "queued");

    let brief = json!({"sub": "alice", "exp": seconds_from_now(2)});
    let mut stream = Stream::open(&http.bearer(&token(&brief)), &path).await;
    assert_eq!(stream.types().await, ["queued"]);
    gateway.end().await;
}

#[tokio::test]
async fn a_slow_client_gets_everything_from_the_log() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--log-max-bytes=100000000"]).await;
    let http = Http::of(&gateway);
    let mut worker = Worker::of(&redis);
    let job = http.submit(json!({"kind": "a"})).await;
    let mut stream = Stream::open(&http, &format!("{job}/events")).await;
    let id = worker.claim().await;
    // More than the buffers on the way and the tail hold together.
    let text = "x".repeat(60_000);
    for n in 0..200 {
        worker.chunk(id, &json!([n, text])).await;
    }
    worker.complete(id, &json!(null)).await;
    let all = stream.rest().await;
    let chunks = all.iter().filter(|event| event.event == "chunk");
    let numbers: Vec<_> = chunks.map(|one| one.json()["data"][0].as_u64()).collect();
    assert_eq!(numbers, (0..200).map(Some).collect::<Vec<_>>());
    assert_eq!(all.len(), 203);
    gateway.end().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_hung_up_on() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--write-timeout-ms=100", "--max-streams=1"]).await;
    let http = Http::of(&gateway);
    let mut worker = Worker::of(&redis);
    let job = http.submit(json!({"kind": "a"})).await;
    let _stream = Stream::open(&http, &format!("{job}/events")).await;
    let id = worker.claim().await;
    let text = "x".repeat(60_000);
    until("it is hung up on", async || {
        worker.chunk(id, &json!(text)).await;
        gateway.metric("ws_slow_closes_total").await == 1
    })
    .await;
    // The connection is gone, not only the stream on it.
    until("its place is free", async || {
        http.get(&format!("{job}?wait=1ms")).await.status == 200
    })
    .await;
    gateway.end().await;
}
