//! Each frame that breaks a rule, and each command that can't be done, gets the code that is documented for it.

use broker::testing::TestRedis;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    gateway::Gateway,
    session::{PATH, Session},
};

#[tokio::test]
async fn frames_that_break_the_rules_close_with_their_code() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--max-frame-bytes=1000"]).await;
    // Before the session is open.
    let fresh = [
        ("", 3501),
        ("\n", 3501),
        ("nonsense", 3501),
        ("{", 3501),
        ("[]", 3501),
        ("null", 3501),
        ("\"{}\"", 3501),
        (r#"{"id":1}"#, 3501),
        (r#"{"id":1,"dance":{}}"#, 3501),
        (r#"{"id":1,"ping":{}}"#, 3501),
        (r#"{"id":1,"subscribe":{"channel":"chat:lobby"}}"#, 3501),
        (r#"{"send":{"data":1}}"#, 3501),
        (r#"{"id":1,"connect":{"token":7}}"#, 3501),
        (r#"{"id":1,"connect":[]}"#, 3501),
        (r#"{"id":1,"connect":{"token":"not.a.token"}}"#, 3500),
    ];
    for (frame, code) in fresh {
        let mut session = Session::fresh(&gateway).await;
        session.send(frame).await;
        assert_eq!(session.client.closed().await, code, "{frame:?}");
    }
    let open = [
        ("", 3501),
        ("{}\n\n{}", 3501),
        ("{}\n\n", 3501),
        (r#"{"id":1"#, 3501),
        (r#"{"id":-1,"ping":{}}"#, 3501),
        (r#"{"id":4294967296,"ping":{}}"#, 3501),
        (r#"{"id":"1","ping":{}}"#, 3501),
        (r#"{"id":9}"#, 3501),
        (r#"{"id":9,"dance":{}}"#, 3501),
        (r#"{"id":9,"connect":{}}"#, 3501),
        (r#"{"id":9,"subscribe":{}}"#, 3501),
        (r#"{"id":9,"subscribe":{"channel":7}}"#, 3501),
        (r#"{"id":9,"subscribe":{"channel":"a","offset":-1}}"#, 3501),
        (r#"{"id":9,"unsubscribe":{}}"#, 3501),
        (r#"{"id":9,"publish":{"data":1}}"#, 3501),
        (r#"{"id":9,"presence":{}}"#, 3501),
        (r#"{"id":9,"presence_stats":{}}"#, 3501),
        (r#"{"id":9,"history":{}}"#, 3501),
        (r#"{"id":9,"history":{"channel":"a","limit":"all"}}"#, 3501),
        (r#"{"id":9,"refresh":{}}"#, 3501),
        // Nothing of this session expires.
        (r#"{"id":9,"refresh":{"token":"a"}}"#, 3501),
        (r#"{"id":9,"sub_refresh":{"token":"a"}}"#, 3501),
    ];
    for (frame, code) in open {
        let mut session = Session::open(&gateway).await;
        session.send(frame).await;
        assert_eq!(session.client.closed().await, code, "{frame:?}");
    }
    let sockets = [
        (Message::text("x".repeat(1001)), 1009),
        (Message::binary(&b"\xC3\x28"[..]), 1007),
    ];
    for (message, code) in sockets {
        let mut session = Session::open(&gateway).await;
        session.client.send(message).await;
        assert_eq!(session.client.closed().await, code);
    }
    gateway.end().await;
}

#[tokio::test]
async fn commands_that_cannot_be_done_are_answered_with_their_code_and_the_session_lives() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let mut session = Session::open(&gateway).await;
    session
        .ask("subscribe", json!({"channel": "chat:lobby"}))
        .await;
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let rpc = |method: &str, data: Value| json!({"method": method, "data": data});
    let submit = |data: Value| rpc("job.submit", data);
    let cases = [
        ("ping", json!({}), 108),
        ("subscribe", json!({"channel": "chat:lobby"}), 105),
        ("subscribe", json!({"channel": "nobody:a"}), 102),
        ("subscribe", json!({"channel": "news"}), 103),
        ("subscribe", json!({"channel": "chat:other.topic"}), 103),
        ("subscribe", json!({"channel": format!("chat:{id}")}), 103),
        ("subscribe", json!({"channel": "chat:"}), 107),
        ("subscribe", json!({"channel": "é"}), 107),
        ("subscribe", json!({"channel": "x".repeat(256)}), 107),
        ("subscribe", json!({"channel": "news", "tf": {}}), 107),
        ("subscribe", json!({"channel": "news", "type": 1}), 108),
        ("publish", json!({"channel": "news"}), 107),
        ("publish", json!({"channel": "news", "data": 1}), 103),
        ("publish", json!({"channel": "chat:lobby", "data": 1}), 103),
        (
            "publish",
            json!({"channel": "news", "data": 1, "type": 1}),
            108,
        ),
        ("presence", json!({"channel": "news"}), 108),
        ("presence_stats", json!({"channel": "chat:lobby"}), 108),
        ("history", json!({"channel": "news"}), 108),
        ("history", json!({"channel": "nobody:a"}), 102),
        (
            "history",
            json!({"channel": "chat:lobby", "reverse": true, "since": {"offset": 0}}),
            107,
        ),
        (
            "history",
            json!({"channel": "chat:lobby", "since": {"offset": 1, "epoch": "x"}}),
            112,
        ),
        ("sub_refresh", json!({"channel": "news", "token": "a"}), 103),
        ("sub_refresh", json!({"channel": "chat:lobby"}), 107),
        ("rpc", rpc("job.dance", json!({})), 104),
        ("rpc", json!({}), 104),
        ("rpc", submit(json!({})), 400),
        ("rpc", submit(json!({"queue": "chat", "kind": "a b"})), 400),
        ("rpc", submit(json!({"queue": "other", "kind": "a"})), 404),
        (
            "rpc",
            submit(json!({"queue": "chat", "kind": "a", "wrong": 1})),
            400,
        ),
        (
            "rpc",
            submit(json!({"queue": "chat", "kind": "a", "options": {"max_attempts": 0}})),
            400,
        ),
        (
            "rpc",
            submit(json!({"queue": "chat", "kind": "a", "options": {"topic": id}})),
            103,
        ),
        (
            "rpc",
            rpc("job.get", json!({"queue": "chat", "id": id})),
            404,
        ),
        (
            "rpc",
            rpc("job.cancel", json!({"queue": "chat", "id": id})),
            404,
        ),
        (
            "rpc",
            rpc("job.retry", json!({"queue": "chat", "id": "no"})),
            404,
        ),
    ];
    for (method, parameters, code) in cases {
        let what = format!("{method} {parameters:.80}");
        assert_eq!(session.refused(method, parameters).await, code, "{what}");
    }
    // Still there.
    let reply = session
        .ask("unsubscribe", json!({"channel": "never:there"}))
        .await;
    assert_eq!(reply["unsubscribe"], json!({}));
    gateway.end().await;
}

#[tokio::test]
async fn who_asks_for_nonsense_again_and_again_is_closed() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let mut session = Session::open(&gateway).await;
    for n in 1..=200 {
        session.send(&format!(r#"{{"id":{n},"ping":{{}}}}"#)).await;
    }
    assert_eq!(session.client.closed().await, 3509);
    gateway.end().await;
}

#[tokio::test]
async fn who_does_not_open_its_session_or_answers_no_ping_is_closed() {
    let redis = TestRedis::start().await;
    let settings = [
        "--hello-timeout-ms=200",
        "--ping-interval-ms=1000",
        "--pong-timeout-ms=200",
    ];
    let gateway = Gateway::ready(&redis, &settings).await;
    let mut stale = Session::fresh(&gateway).await;
    assert_eq!(stale.client.closed().await, 3502);
    let mut silent = Session::fresh(&gateway).await;
    silent.send(r#"{"id":1,"connect":{}}"#).await;
    let opened: Value = serde_json::from_str(&silent.client.text().await).unwrap();
    assert_eq!(
        (&opened["connect"]["ping"], &opened["connect"]["pong"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(silent.client.closed().await, 3012);
    gateway.end().await;
}

#[tokio::test]
async fn who_wants_protobuf_is_told_that_it_is_not_spoken() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let asks = [("sec-websocket-protocol", "centrifuge-protobuf")];
    let mut client = gateway.try_connect(PATH, &asks).await.unwrap();
    assert_eq!(client.closed().await, 3506);
    let path = format!("{PATH}?cf_protocol=protobuf");
    let mut client = gateway.try_connect(&path, &[]).await.unwrap();
    assert_eq!(client.closed().await, 3506);
    let asks = [("sec-websocket-protocol", "centrifuge-json")];
    let mut client = gateway.try_connect(PATH, &asks).await.unwrap();
    client.send(Message::text(r#"{"id":1,"connect":{}}"#)).await;
    assert!(client.text().await.starts_with(r#"{"id":1,"connect":"#));
    gateway.end().await;
}
