//! What a token says of how long and how much its client may do.

use serde_json::json;

use crate::{
    denied::{SECRET, Scene, now, token},
    session::Session,
};

#[tokio::test]
async fn a_token_says_how_much_its_client_may_do() {
    let scene = Scene::set().await;
    let limits = json!({"max_submits_per_second": 1, "max_payload_bytes": 10, "max_subscriptions": 1, "max_connections": 1});
    let claims = json!({"sub": "carl", "exp": now() + 600, "limits": limits, "kinds": ["sleep"]});
    let mut carl = Session::open_as(&scene.gateway, &token(&claims, SECRET)).await;
    let submit = |kind: &str, payload: &str| {
        let job = json!({"queue": "chat", "kind": kind, "payload": payload});
        json!({"method": "job.submit", "data": job})
    };
    assert_eq!(
        carl.refused("rpc", submit("sleep", "longer than ten"))
            .await,
        413
    );
    assert_eq!(carl.refused("rpc", submit("chat", "")).await, 103);
    // Two at once, which those were; the third is too much.
    assert_eq!(carl.refused("rpc", submit("sleep", "")).await, 111);
    let grant = json!({"sub": "carl", "channel": "room:a", "exp": now() + 600});
    let first = json!({"channel": "room:a", "token": token(&grant, SECRET)});
    assert!(carl.ask("subscribe", first).await["subscribe"].is_object());
    let second = json!({"channel": "room:b", "token": "whatever"});
    assert_eq!(carl.refused("subscribe", second).await, 106);
    let mut twin = Session::fresh(&scene.gateway).await;
    let connect = json!({"id": 1, "connect": {"token": token(&claims, SECRET)}});
    twin.send(&connect.to_string()).await;
    assert_eq!(twin.client.closed().await, 3504);
    scene.end().await;
}

#[tokio::test]
async fn a_plain_client_goes_with_its_token() {
    let scene = Scene::set().await;
    let claims = json!({"sub": "carl", "exp": now() + 2, "limits": {"max_payload_bytes": 5, "max_connections": 1}});
    let path = format!("/rooms/a?token={}", token(&claims, SECRET));
    let mut carl = scene.gateway.try_connect(&path, &[]).await.unwrap();
    let twin = scene.gateway.try_connect(&path, &[]).await;
    let Err(tokio_tungstenite::tungstenite::Error::Http(response)) = twin.map(drop) else {
        panic!("connected");
    };
    assert_eq!(response.status(), 429);
    carl.send("too long").await;
    assert!(carl.text().await.contains("too_large"));
    assert_eq!(carl.closed().await, 1008);
    scene.end().await;
}

#[tokio::test]
async fn what_is_said_is_kept_as_it_was_said() {
    let scene = Scene::set().await;
    let channel = "room:diary#carl";
    let claims = json!({"sub": "carl", "exp": now() + 600});
    let mut carl = Session::open_as(&scene.gateway, &token(&claims, SECRET)).await;
    assert!(carl.ask("subscribe", json!({"channel": channel})).await["subscribe"].is_object());
    // Half a character, as a browser makes it by cutting a text; a number that no float holds; more nesting than a
    // parser likes.
    let deep = format!("{}{}", "[".repeat(150), "]".repeat(150));
    for data in [
        r#""\ud83d""#,
        r#"{"b":1.10,"a":12345678901234567890123}"#,
        "1e400",
        &deep,
    ] {
        let text = format!(r#"{{"id":9,"publish":{{"channel":"{channel}","data":{data}}}}}"#);
        carl.send(&text).await;
        let wanted = format!(r#""pub":{{"data":{data},"#);
        let got = [carl.client.text().await, carl.client.text().await];
        assert!(got.iter().any(|text| text.contains(&wanted)), "{got:?}");
    }
    scene.end().await;
}
