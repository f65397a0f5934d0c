//! What becomes of sessions and subscriptions whose tokens are over, and of tokens that are for somebody else.

use std::time::{SystemTime, UNIX_EPOCH};

use broker::testing::TestRedis;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::{gateway::Gateway, session::Session};

const SECRET: &str = "only for tests";
const ROOMS: &str = r#"{"namespaces": [{"name": "room", "presence": true}]}"#;

/// A server that wants tokens and gives nobody time to renew them.
async fn gateway(redis: &TestRedis) -> Gateway {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ROOMS).unwrap();
    let rooms = format!("--namespaces-file={}", file.path().display());
    let secret = format!("--token-hmac-secret={SECRET}");
    Gateway::ready(redis, &[&rooms, &secret, "--expiry-grace-ms=0"]).await
}

/// A token that is good for so many seconds from now.
fn token(mut claims: Value, seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    claims["exp"] = json!(now + seconds);
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
}

async fn open(gateway: &Gateway, user: &str, seconds: i64) -> Session {
    let mut session = Session::fresh(gateway).await;
    let token = token(json!({"sub": user}), seconds);
    let reply = session.ask("connect", json!({"token": token})).await;
    let connect = &reply["connect"];
    assert_eq!(connect["expires"], true, "{reply}");
    let ttl = connect["ttl"].as_i64().unwrap();
    assert!((seconds - 1..=seconds).contains(&ttl), "{reply}");
    session
}

#[tokio::test]
async fn who_does_not_renew_its_token_is_closed_and_who_does_goes_on() {
    let redis = TestRedis::start().await;
    let gateway = gateway(&redis).await;
    let mut renewing = open(&gateway, "ada", 2).await;
    let mut idle = open(&gateway, "ada", 2).await;
    let longer = json!({"token": token(json!({"sub": "ada"}), 3600)});
    let reply = renewing.ask("refresh", longer).await;
    assert_eq!(reply["refresh"]["expires"], true);
    assert!(reply["refresh"]["client"].is_string());
    assert_eq!(idle.client.closed().await, 3005);
    let reply = renewing.ask("unsubscribe", json!({"channel": "a"})).await;
    assert_eq!(reply["unsubscribe"], json!({}));
    gateway.end().await;
}

#[tokio::test]
async fn a_refresh_with_a_token_that_is_not_its_own_closes() {
    let redis = TestRedis::start().await;
    let gateway = gateway(&redis).await;
    for (claims, seconds, code) in [
        (json!({"sub": "bob"}), 60, 3500),
        (json!({"sub": "ada", "channel": "room:a"}), 60, 3500),
        // SDKs then connect again with another.
        (json!({"sub": "ada"}), -60, 3005),
    ] {
        let mut session = open(&gateway, "ada", 60).await;
        let what = claims.to_string();
        let token = token(claims, seconds);
        session
            .send(&json!({"id": 9, "refresh": {"token": token}}).to_string())
            .await;
        assert_eq!(session.client.closed().await, code, "{what}");
    }
    gateway.end().await;
}

#[tokio::test]
async fn a_subscription_ends_with_its_token_unless_that_is_renewed() {
    let redis = TestRedis::start().await;
    let gateway = gateway(&redis).await;
    let mut session = open(&gateway, "ada", 3600).await;
    let of = |channel: &str, seconds| {
        let token = token(json!({"sub": "ada", "channel": channel}), seconds);
        json!({"channel": channel, "token": token})
    };
    for channel in ["room:a", "$room:b"] {
        let reply = session.ask("subscribe", of(channel, 2)).await;
        assert_eq!(reply["subscribe"]["expires"], true, "{reply}");
    }
    let reply = session.ask("sub_refresh", of("$room:b", 3600)).await;
    assert_eq!(reply["sub_refresh"]["expires"], true, "{reply}");
    let reply = session.ask("sub_refresh", of("$room:b", -60)).await;
    let error = &reply["error"];
    assert_eq!(
        (&error["code"], &error["temporary"]),
        (&json!(109), &json!(true))
    );
    let push = session.push().await;
    assert_eq!(push["channel"], "room:a");
    assert_eq!(push["unsubscribe"]["code"], 2501);
    assert_eq!(session.refused("subscribe", of("room:a", -60)).await, 109);
    let still = session.refused("subscribe", of("$room:b", 60)).await;
    assert_eq!(still, 105, "it is subscribed to the other");
    gateway.end().await;
}

#[tokio::test]
async fn a_channel_token_for_somebody_else_closes() {
    let redis = TestRedis::start().await;
    let gateway = gateway(&redis).await;
    for claims in [
        json!({"sub": "bob", "channel": "$room:a"}),
        json!({"sub": "ada", "channel": "$room:b"}),
        json!({"sub": "ada", "channel": "$room:a", "client": "another"}),
    ] {
        let mut session = open(&gateway, "ada", 60).await;
        let what = claims.to_string();
        let wants = json!({"channel": "$room:a", "token": token(claims, 60)});
        session
            .send(&json!({"id": 9, "subscribe": wants}).to_string())
            .await;
        assert_eq!(session.client.closed().await, 3500, "{what}");
    }
    let mut session = open(&gateway, "ada", 60).await;
    let wants = json!({"channel": "$room:a"});
    assert_eq!(session.refused("subscribe", wants).await, 103);
    gateway.end().await;
}
