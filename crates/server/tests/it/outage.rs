//! A server without Redis waits, and says so.

use crate::gateway::Gateway;
use broker::testing::TestRedis;

#[tokio::test]
async fn a_server_starts_before_its_redis() {
    let mut redis = TestRedis::stopped(&[]);
    let gateway = Gateway::start(&redis, &[]).await;
    assert_eq!(gateway.get("/livez").await.0, 200);
    let (status, _, body) = gateway.get("/readyz").await;
    assert_eq!(status, 503);
    assert_eq!(
        body,
        r#"{"checks":{"redis":false,"subscribed":false},"ready":false}"#
    );
    // Who is patient is served.
    let mut client = gateway.connect().await;
    client.send("first").await;
    redis.run().await;
    gateway.becomes_ready().await;
    client.send("second").await;
    // The first may have been stored before anybody listened.
    let mut text = client.text().await;
    if text == "first" {
        text = client.text().await;
    }
    assert_eq!(text, "second");
    assert_eq!(gateway.metric("messages_accepted_total").await, 2);
    gateway.end().await;
}

#[tokio::test]
async fn a_message_that_is_not_stored_in_time_is_refused() {
    let redis = TestRedis::stopped(&[]);
    let gateway = Gateway::start(&redis, &["--accept-timeout-ms=200"]).await;
    let mut client = gateway.connect().await;
    client.send("lost").await;
    let answer = client.text().await;
    assert!(
        answer.starts_with(r#"{"error":"unavailable","message":""#),
        "{answer}"
    );
    gateway.end().await;
}
