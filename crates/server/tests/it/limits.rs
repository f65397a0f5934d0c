//! Who is not let in, and what ends a connection.

use broker::testing::TestRedis;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::{gateway::Gateway, until};

#[tokio::test]
async fn a_wrong_origin_is_refused() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let answer = gateway
        .refusal(&[("origin", "https://evil.example.com")])
        .await;
    assert_eq!(answer.status(), 403);
    let rebound = [
        ("origin", "http://evil.example.com"),
        ("host", "evil.example.com"),
    ];
    assert_eq!(gateway.refusal(&rebound).await.status(), 403);
    let own = [
        ("origin", "http://localhost:3000"),
        ("host", "localhost:3000"),
    ];
    assert!(gateway.try_connect("/", &own).await.is_ok());
    assert_eq!(
        gateway
            .metric("ws_connections_refused_total{reason=\"origin\"}")
            .await,
        2
    );
    gateway.end().await;
}

#[tokio::test]
async fn there_are_only_so_many_places() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--max-connections=2"]).await;
    let (first, _second) = (gateway.connect().await, gateway.connect().await);
    let answer = gateway.refusal(&[]).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "5");
    drop(first);
    until("a place is free again", async || {
        gateway.try_connect("/", &[]).await.is_ok()
    })
    .await;
    gateway.end().await;
}

#[tokio::test]
async fn bad_frames_close_with_their_code() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--max-frame-bytes=1000"]).await;
    let raw = |code, bytes: &'static [u8]| {
        Message::Frame(Frame::message(bytes, OpCode::Data(code), true))
    };
    let cases = [
        (Message::binary(&b"\xC3\x28"[..]), 1007),
        (raw(Data::Text, b"\xC3\x28"), 1007),
        (Message::text("x".repeat(1001)), 1009),
        // Much more than is read before the end is decided: the close frame arrives all the same.
        (Message::text("x".repeat(2_000_000)), 1009),
        (raw(Data::Continue, b"of nothing"), 1002),
        (raw(Data::Reserved(3), b""), 1002),
        (Message::Close(None), 1005),
    ];
    let mut other = gateway.connect().await;
    for (message, code) in cases {
        let what = format!("{:.40}", format!("{message:?}"));
        let mut client = gateway.connect().await;
        client.send(message).await;
        assert_eq!(client.closed().await, code, "{what}");
    }
    other.send("x".repeat(1000)).await;
    assert_eq!(other.text().await.len(), 1000);
    gateway.end().await;
}

#[tokio::test]
async fn a_message_that_no_job_can_carry_is_refused_and_the_connection_lives() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let mut client = gateway.connect().await;
    // Each of these is six bytes in JSON.
    client.send("\u{1}".repeat(60_000)).await;
    let answer = client.text().await;
    assert!(
        answer.starts_with(r#"{"error":"too_large","message":""#),
        "{answer}"
    );
    client.send("short").await;
    assert_eq!(client.text().await, "short");
    gateway.end().await;
}
