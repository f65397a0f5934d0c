//! The server API, as Centrifugo's libraries call it, on two servers.

use broker::testing::TestRedis;
use serde_json::{Value, json};

use crate::{gateway::Gateway, session::Session, until};

const ROOMS: &str = r#"{"namespaces": [
    {"name": "news", "history_size": 3, "history_ttl_secs": 60, "presence": true, "force_recovery": true,
     "allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true},
    {"name": "bare", "allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true}
]}"#;
const KEY: &str = "X-API-Key: the key\r\n";

async fn server(redis: &TestRedis) -> Gateway {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ROOMS).unwrap();
    let rooms = format!("--namespaces-file={}", file.path().display());
    Gateway::ready(redis, &[&rooms, "--api-key=the key"]).await
}

async fn call(gateway: &Gateway, method: &str, body: Value) -> Value {
    let (status, _, text) = gateway.post(&format!("/api/{method}"), KEY, &body).await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

async fn subscribed(gateway: &Gateway, channel: &str) -> Session {
    let mut session = Session::open(gateway).await;
    let reply = session.ask("subscribe", json!({"channel": channel})).await;
    assert!(reply["subscribe"].is_object(), "{reply}");
    session
}

#[tokio::test]
async fn a_backend_publishes_to_subscribers_of_every_server() {
    let redis = TestRedis::start().await;
    let (first, second) = (server(&redis).await, server(&redis).await);
    let mut sessions = [
        subscribed(&first, "news:a").await,
        subscribed(&second, "news:a").await,
    ];
    let body = json!({"channel": "news:a", "data": {"n": 1}, "tags": {"k": "v"}, "idempotency_key": "once"});
    let done = call(&first, "publish", body.clone()).await;
    assert_eq!(done["result"]["offset"], 1);
    let epoch = done["result"]["epoch"].clone();
    assert!(!epoch.as_str().unwrap().is_empty());
    // The same key on another server: not published again.
    assert_eq!(call(&second, "publish", body).await, done);
    let many = json!({"channels": ["news:a", "bare:b", "wrong:c"], "data": 2});
    let many = call(&second, "broadcast", many).await;
    let responses = &many["result"]["responses"];
    assert_eq!(responses[0]["result"]["offset"], 2);
    assert_eq!(responses[1]["result"], json!({}), "no history, no position");
    assert_eq!(responses[2]["error"]["code"], 102);
    for session in &mut sessions {
        let first = session.push().await;
        assert_eq!(
            first["pub"],
            json!({"data": {"n": 1}, "tags": {"k": "v"}, "offset": 1})
        );
        assert_eq!(session.push().await["pub"], json!({"data": 2, "offset": 2}));
        assert_eq!(session.waiting(), (0, 0));
    }
    let read = json!({"channel": "news:a", "limit": 1, "since": {"offset": 1, "epoch": epoch}});
    let history = call(&first, "history", read).await;
    assert_eq!(
        history["result"]["publications"],
        json!([{"data": 2, "offset": 2}])
    );
    assert_eq!(history["result"]["offset"], 2);
    let stale = json!({"channel": "news:a", "limit": 1, "since": {"offset": 1, "epoch": "other"}});
    assert_eq!(call(&first, "history", stale).await["error"]["code"], 112);
    let none = json!({"channel": "bare:b", "limit": 1});
    assert_eq!(call(&first, "history", none).await["error"]["code"], 108);
    call(&first, "history_remove", json!({"channel": "news:a"})).await;
    let empty = call(&first, "history", json!({"channel": "news:a", "limit": -1})).await;
    assert_eq!(empty["result"]["publications"], json!([]));
    assert_eq!(empty["result"]["offset"], 2, "offsets go on");
    let stats = call(&second, "presence_stats", json!({"channel": "news:a"})).await;
    assert_eq!(stats["result"]["num_clients"], 2);
    let presence = call(&second, "presence", json!({"channel": "news:a"})).await;
    assert_eq!(presence["result"]["presence"].as_object().unwrap().len(), 2);
    let info = call(&first, "info", json!({})).await;
    assert_eq!(info["result"]["nodes"].as_array().unwrap().len(), 2);
    first.end().await;
    second.end().await;
    drop(sessions);
}

#[tokio::test]
async fn sessions_are_steered_on_whichever_server_they_are() {
    let redis = TestRedis::start().await;
    let (here, there) = (server(&redis).await, server(&redis).await);
    let mut session = Session::open(&there).await;
    let steer = async |method: &str, more: Value| {
        let mut body = json!({"user": "", "channel": "news:a"});
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        let done = call(&here, method, body).await;
        assert_eq!(done, json!({"result": {}}));
    };
    // The other server may not listen yet.
    until("the other server listens", async || {
        here.metric("nodes_heard_total ").await >= 1
            && there.metric("nodes_heard_total ").await >= 1
            || {
                steer("unsubscribe", json!({})).await;
                false
            }
    })
    .await;
    steer("subscribe", json!({"data": {"hello": 1}})).await;
    let told = session.push().await;
    assert_eq!(told["subscribe"]["data"], json!({"hello": 1}));
    assert_eq!(told["subscribe"]["recoverable"], true);
    call(&here, "publish", json!({"channel": "news:a", "data": 1})).await;
    assert_eq!(session.push().await["pub"]["offset"], 1);
    steer("unsubscribe", json!({})).await;
    let told = session.push().await;
    assert_eq!(told["unsubscribe"]["code"], 2000);
    assert_eq!(told["unsubscribe"]["reason"], "server unsubscribe");
    call(&here, "publish", json!({"channel": "news:a", "data": 2})).await;
    // What was missed comes with another subscription, from where it was.
    steer("subscribe", json!({"recover_since": {"offset": 1}})).await;
    assert!(session.push().await["subscribe"].is_object());
    assert_eq!(session.push().await["pub"], json!({"data": 2, "offset": 2}));
    steer(
        "disconnect",
        json!({"whitelist": ["another"], "disconnect": {"code": 4501, "reason": "go"}}),
    )
    .await;
    assert_eq!(session.client.closed().await, 4501);
    let mut session = Session::open(&there).await;
    steer("refresh", json!({"expired": true})).await;
    assert_eq!(session.client.closed().await, 3005);
    here.end().await;
    there.end().await;
}

#[tokio::test]
async fn a_batch_answers_each_command_in_order() {
    let redis = TestRedis::start().await;
    let gateway = server(&redis).await;
    let commands = json!({"commands": [
        {"publish": {"channel": "news:a", "data": 1}},
        {"publish": {"channel": "wrong:a", "data": 1}},
        {"dance": {}},
        {"publish": {"channel": "news:a"}},
        {"presence_stats": {"channel": "news:a"}}
    ]});
    let replies = call(&gateway, "batch", commands).await["result"]["replies"].clone();
    assert_eq!(replies[0]["publish"]["offset"], 1);
    assert_eq!(replies[1]["error"]["code"], 102);
    assert_eq!(replies[2]["error"]["code"], 104);
    assert_eq!(replies[3]["error"]["code"], 107);
    assert_eq!(
        replies[4]["presence_stats"],
        json!({"num_clients": 0, "num_users": 0})
    );
    // A job's channel is its worker's.
    let wrong = json!({"channel": "chat:lobby", "data": 1});
    assert_eq!(call(&gateway, "publish", wrong).await["error"]["code"], 108);
    for (body, status) in [("nonsense", 400), ("[]", 400), ("", 200)] {
        let (is, ..) = gateway.post_text("/api/info", KEY, body).await;
        assert_eq!(is, status, "{body}");
    }
    let (status, ..) = gateway.post("/api/dance", KEY, &json!({})).await;
    assert_eq!(status, 404);
    let (status, ..) = gateway
        .post("/api/info?api_key=the%20key", "", &json!({}))
        .await;
    assert_eq!(status, 401, "a key is taken as it stands");
    gateway.end().await;
}

#[tokio::test]
async fn without_a_key_there_is_no_api() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let (status, ..) = gateway.post("/api/info", KEY, &json!({})).await;
    assert_eq!(status, 404);
    gateway.end().await;
}
