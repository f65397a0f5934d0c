//! How a server stops.

use broker::testing::TestRedis;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::{gateway::Gateway, until};

#[tokio::test]
async fn closes_are_spread_and_nobody_is_let_in() {
    let redis = TestRedis::start().await;
    let window = Duration::from_millis(600);
    let gateway = Gateway::ready(&redis, &["--drain-window-ms=600"]).await;
    let mut clients = join_all((0..30).map(|_| gateway.connect())).await;
    let start = Instant::now();
    gateway.stop();
    until("not ready", async || gateway.get("/readyz").await.0 == 503).await;
    let answer = gateway.refusal(&[]).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let closed = clients.iter_mut().map(async |client| {
        assert_eq!(client.closed().await, 1001);
        start.elapsed()
    });
    let mut times = join_all(closed).await;
    times.sort_unstable();
    assert!(times[29] >= window - Duration::from_millis(10), "{times:?}");
    // Evenly: no tenth of the window sees half of them.
    let crowded = times
        .windows(15)
        .find(|some| some[14] - some[0] < window / 10);
    assert!(crowded.is_none(), "{times:?}");
    gateway.end().await;
}

#[tokio::test]
async fn what_was_handed_in_is_stored_before_the_end() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let mut client = gateway.connect().await;
    client.send("before").await;
    assert_eq!(client.text().await, "before");
    let _: String = redis.command(&["CLIENT", "PAUSE", "60000", "WRITE"]).await;
    client.send("in flight").await;
    until("handed in", async || {
        gateway.metric("messages_submitted_total").await == 2
    })
    .await;
    gateway.stop();
    until("not ready", async || gateway.get("/readyz").await.0 == 503).await;
    client.quiet(Duration::from_millis(200)).await;
    assert_eq!(gateway.metric("messages_accepted_total").await, 1);
    let _: String = redis.command(&["CLIENT", "UNPAUSE"]).await;
    assert_eq!(client.closed().await, 1001);
    gateway.end().await;
    let enqueued: u64 = redis
        .command(&["HGET", "dwb{chat}:count", "enqueued"])
        .await;
    let waiting: u64 = redis.command(&["ZCARD", "dwb{chat}:wait:1:public"]).await;
    assert_eq!((enqueued, waiting), (2, 2));
}

#[tokio::test]
async fn a_refusal_is_told_before_the_end() {
    let redis = TestRedis::start().await;
    let settings = ["--redis-timeout-ms=300", "--accept-timeout-ms=300"];
    let gateway = Gateway::ready(&redis, &settings).await;
    let mut client = gateway.connect().await;
    let _: String = redis.command(&["CLIENT", "PAUSE", "60000", "WRITE"]).await;
    client.send("too late").await;
    until("handed in", async || {
        gateway.metric("messages_submitted_total").await == 1
    })
    .await;
    gateway.stop();
    let answer = client.text().await;
    assert!(
        answer.starts_with(r#"{"error":"unavailable","message":""#),
        "{answer}"
    );
    assert_eq!(client.closed().await, 1001);
    gateway.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_the_close_does_not_hold_up_the_end() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let _silent = gateway.connect().await;
    gateway.end().await;
}
