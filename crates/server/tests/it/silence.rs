//! Clients that do not read, or are not there any more.

use broker::testing::TestRedis;
use std::time::Duration;

use crate::{gateway::Gateway, until};

#[tokio::test]
async fn a_client_that_never_reads_is_closed_while_others_go_on() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--outbox-bytes=131072"]).await;
    let mut stalled = gateway.connect().await;
    let mut lively = gateway.connect().await;
    let text = "x".repeat(60_000);
    let mut sent = 0;
    while gateway.metric("ws_slow_closes_total").await == 0 {
        assert!(sent < 1_000, "60 MB did not fill the buffers");
        lively.send(text.as_str()).await;
        assert_eq!(lively.text().await.len(), text.len());
        sent += 1;
    }
    // What it would read now ends with the advice to come again.
    assert_eq!(stalled.closed().await, 1013);
    lively.send("still here").await;
    assert_eq!(lively.text().await, "still here");
    gateway.end().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_given_up() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--write-timeout-ms=100"]).await;
    let _stalled = gateway.connect().await;
    let mut lively = gateway.connect().await;
    let text = "x".repeat(60_000);
    until("given up", async || {
        lively.send(text.as_str()).await;
        assert_eq!(lively.text().await.len(), text.len());
        gateway.metric("ws_connections").await == 1
    })
    .await;
    gateway.end().await;
}

#[tokio::test]
async fn a_half_open_socket_is_closed() {
    let redis = TestRedis::start().await;
    let settings = ["--ping-interval-ms=50", "--idle-timeout-ms=300"];
    let gateway = Gateway::ready(&redis, &settings).await;
    // Its library answers pings only while it is asked for messages, and this one never is.
    let _silent = gateway.connect().await;
    let mut alive = gateway.connect().await;
    let gone = "ws_closes_total{code=\"1001\",cause=\"idle\"}";
    until("the silent one is closed", async || {
        alive.quiet(Duration::from_millis(20)).await;
        gateway.metric(gone).await == 1
    })
    .await;
    // Several idle timeouts of having nothing to say.
    alive.quiet(Duration::from_millis(700)).await;
    alive.send("still here").await;
    assert_eq!(alive.text().await, "still here");
    assert_eq!(gateway.metric(gone).await, 1);
    gateway.end().await;
}
