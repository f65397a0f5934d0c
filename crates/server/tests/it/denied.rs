//! Who may not: without a token, with one that expired, is forged or belongs to another tenant, and from another origin.
//! One test for every verb: nothing is read, and nothing is changed.

use std::time::{SystemTime, UNIX_EPOCH};

use broker::{Inspector, testing::TestRedis};
use jsonwebtoken::{EncodingKey, Header};
use protocol::QueueName;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::{
    gateway::Gateway,
    session::{PATH, Session},
};

pub(crate) const SECRET: &str = "a secret for tests, of 32 bytes..";
const ROOMS: &str = r#"{"namespaces": [{
    "name": "room", "history_size": 10, "history_ttl_secs": 60, "presence": true, "join_leave": true,
    "force_recovery": true, "allow_user_limited_channels": true,
    "allow_publish_for_subscriber": true, "allow_presence_for_subscriber": true, "allow_history_for_subscriber": true
}]}"#;

pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

pub(crate) fn token(claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), claims, &key).unwrap()
}

pub(crate) fn of(user: &str) -> String {
    token(&json!({"sub": user, "exp": now() + 600}), SECRET)
}

/// A gateway with tokens and rooms, in which ada has a job and a room of her own.
pub(crate) struct Scene {
    redis: TestRedis,
    pub(crate) gateway: Gateway,
    ada: Session,
    job: Value,
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let redis = TestRedis::start().await;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), ROOMS).unwrap();
        let rooms = format!("--namespaces-file={}", file.path().display());
        let secret = format!("--token-hmac-secret={SECRET}");
        let settings = [
            &*rooms,
            &*secret,
            "--api-key=the key",
            "--expiry-grace-ms=0",
        ];
        let gateway = Gateway::ready(&redis, &settings).await;
        let mut ada = Session::open_as(&gateway, &of("ada")).await;
        let submit = json!({"queue": "chat", "kind": "sleep", "payload": "secret of ada"});
        let job = ada.rpc("job.submit", submit).await;
        let named = json!({"queue": "chat", "kind": "sleep", "options": {"topic": "ada.news"}});
        ada.rpc("job.submit", named).await;
        let room = json!({"channel": "room:diary#ada"});
        assert!(ada.ask("subscribe", room).await["subscribe"].is_object());
        let said = json!({"channel": "room:diary#ada", "data": "secret of ada"});
        assert!(ada.ask("publish", said).await["publish"].is_object());
        Self {
            redis,
            gateway,
            ada,
            job,
        }
    }

    /// Her job's id.
    pub(crate) fn id(&self) -> String {
        self.job["id"].as_str().unwrap().to_owned()
    }

    fn which(&self) -> Value {
        json!({"queue": "chat", "id": self.job["id"]})
    }

    /// Everything is as it was.
    pub(crate) async fn end(mut self) {
        let state = self.ada.rpc("job.get", self.which()).await;
        assert_eq!(state["state"], "waiting");
        let channel = json!({"channel": "room:diary#ada", "limit": -1});
        let history = self.ada.ask("history", channel).await;
        assert_eq!(
            history["history"]["publications"].as_array().unwrap().len(),
            1
        );
        let stats = json!({"channel": "room:diary#ada"});
        let stats = self.ada.ask("presence_stats", stats).await;
        assert_eq!(stats["presence_stats"]["num_clients"], 1);
        let chat = QueueName::new("chat").unwrap();
        let redis = self.redis.connect("dwb");
        let (counts, totals) = Inspector::new(redis).counts(&chat).await.unwrap();
        assert_eq!(
            (counts.waiting, totals.enqueued),
            (2, 2),
            "no job was added"
        );
        self.gateway.end().await;
    }
}

/// What a session may ask for of what is ada's, each as its method and parameters.
fn asked_of_ada(job: &Value) -> Vec<(&'static str, Value)> {
    let which = json!({"queue": "chat", "id": job["id"]});
    let rpc = |method: &str, data: &Value| ("rpc", json!({"method": method, "data": data}));
    let room = json!({"channel": "room:diary#ada"});
    let topic = json!({"queue": "chat", "kind": "sleep", "options": {"topic": "ada.news"}});
    let hers = json!({"queue": "chat", "kind": "sleep", "options": {"topic": job["id"]}});
    vec![
        (
            "subscribe",
            json!({"channel": job["channel"], "recover": true}),
        ),
        ("subscribe", json!({"channel": "chat:ada.news"})),
        ("subscribe", room.clone()),
        ("subscribe", json!({"channel": "$room:diary"})),
        ("publish", json!({"channel": "room:diary#ada", "data": 1})),
        ("publish", json!({"channel": job["channel"], "data": 1})),
        ("presence", room.clone()),
        ("presence_stats", room.clone()),
        ("history", json!({"channel": "room:diary#ada", "limit": 10})),
        ("history", json!({"channel": job["channel"], "limit": 10})),
        ("history", json!({"channel": "chat:ada.news", "limit": 10})),
        (
            "sub_refresh",
            json!({"channel": "room:diary#ada", "token": "x"}),
        ),
        rpc("job.get", &which),
        rpc("job.cancel", &which),
        rpc("job.retry", &which),
        rpc("job.submit", &topic),
        rpc("job.submit", &hers),
    ]
}

#[tokio::test]
async fn another_tenant_reads_and_changes_nothing() {
    let scene = Scene::set().await;
    let mut bob = Session::open_as(&scene.gateway, &of("bob")).await;
    for (method, parameters) in asked_of_ada(&scene.job) {
        let code = bob.refused(method, parameters.clone()).await;
        // It is as if there were no such job: nobody learns which ids exist.
        let expected = match parameters["method"].as_str() {
            Some("job.get" | "job.cancel" | "job.retry") => 404,
            _ => 103,
        };
        assert_eq!(code, expected, "{method} {parameters}");
    }
    // What is shared in name is not shared in fact: the lobby is that of a tenant.
    assert_eq!(
        bob.refused("subscribe", json!({"channel": "chat:lobby"}))
            .await,
        103
    );
    assert_eq!(bob.waiting(), (0, 0));
    scene.end().await;
}

#[tokio::test]
async fn a_token_of_a_channel_is_good_for_its_user_and_channel_alone() {
    let scene = Scene::set().await;
    let exp = now() + 600;
    let wrong = [
        json!({"sub": "ada", "channel": "room:diary#ada", "exp": exp}),
        json!({"sub": "bob", "channel": "room:other", "exp": exp}),
        json!({"sub": "bob", "channel": "room:diary#ada", "client": "another", "exp": exp}),
    ];
    for claims in wrong {
        let mut bob = Session::open_as(&scene.gateway, &of("bob")).await;
        let token = token(&claims, SECRET);
        let subscribe =
            json!({"id": 9, "subscribe": {"channel": "room:diary#ada", "token": token}});
        bob.send(&subscribe.to_string()).await;
        assert_eq!(bob.client.closed().await, 3500, "{claims}");
    }
    let mut bob = Session::open_as(&scene.gateway, &of("bob")).await;
    let channel = "room:diary#ada";
    let mut with = async |token: String| {
        bob.refused("subscribe", json!({"channel": channel, "token": token}))
            .await
    };
    let claims = json!({"sub": "bob", "channel": channel, "exp": exp});
    assert_eq!(
        with(token(&claims, "another secret, of 32 bytes too..")).await,
        103
    );
    let old = json!({"sub": "bob", "channel": channel, "exp": now() - 1});
    assert_eq!(with(token(&old, SECRET)).await, 109);
    scene.end().await;
}

/// Tokens that open nothing: none, one that expired, a forged one, one without signature, one for a channel.
pub(crate) fn bad_tokens() -> Vec<(String, &'static str)> {
    let claims = json!({"sub": "ada", "exp": now() + 600});
    let good = token(&claims, SECRET);
    let (head, _) = good.rsplit_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIn0";
    let payload = good.split('.').nth(1).unwrap();
    vec![
        (String::new(), "closed 3501"),
        (
            token(&json!({"sub": "ada", "exp": now() - 1}), SECRET),
            "error 109",
        ),
        (
            token(&claims, "another secret, of 32 bytes too.."),
            "closed 3500",
        ),
        (format!("{none}.{payload}."), "closed 3500"),
        (format!("{head}.AAAA"), "closed 3500"),
        (
            token(&json!({"sub": "ada", "channel": "room:a"}), SECRET),
            "closed 3500",
        ),
        ("nonsense".to_owned(), "closed 3500"),
    ]
}

#[tokio::test]
async fn without_a_good_token_no_session_opens() {
    let scene = Scene::set().await;
    for (token, expected) in bad_tokens() {
        let mut stranger = Session::fresh(&scene.gateway).await;
        let mut frame = json!({"id": 1, "connect": {"token": token}}).to_string();
        // Everything that might slip through behind a refused connect.
        for (n, (method, parameters)) in asked_of_ada(&scene.job).into_iter().enumerate() {
            frame.push('\n');
            frame.push_str(&json!({"id": n + 2, method: parameters}).to_string());
        }
        stranger.send(&frame).await;
        let outcome = match expected.strip_prefix("error ") {
            Some(_) => format!("error {}", stranger.reply().await["error"]["code"]),
            None => format!("closed {}", stranger.client.closed().await),
        };
        assert_eq!(outcome, expected, "{token}");
        assert_eq!(stranger.waiting(), (0, 0));
    }
    // Commands without a connect before them are refused as well.
    for (method, parameters) in asked_of_ada(&scene.job) {
        let mut stranger = Session::fresh(&scene.gateway).await;
        let command = json!({"id": 1, method: parameters}).to_string();
        stranger.send(&command).await;
        assert_eq!(stranger.client.closed().await, 3501, "{method}");
    }
    scene.end().await;
}

#[tokio::test]
async fn without_a_good_token_no_plain_client_comes_in() {
    let scene = Scene::set().await;
    for (token, _) in bad_tokens() {
        let header = format!("Bearer {token}");
        let query = format!("/?token={token}");
        let ways: [(&str, &[(&str, &str)]); 3] = [
            ("/", &[("authorization", &header)]),
            ("/rooms/ada", &[("authorization", &header)]),
            (&query, &[]),
        ];
        for (path, headers) in ways {
            let headers: Vec<_> = headers
                .iter()
                .map(|(_, value)| ("authorization", *value))
                .collect();
            let refused = scene.gateway.try_connect(path, &headers).await;
            let Err(Error::Http(response)) = refused.map(drop) else {
                panic!("{path} {token}: connected");
            };
            assert_eq!(response.status(), 401, "{path} {token}");
        }
    }
    scene.end().await;
}

#[tokio::test]
async fn plain_rooms_of_tenants_are_apart() {
    let scene = Scene::set().await;
    let (ada, bob) = (of("ada"), of("bob"));
    let mut clients = Vec::new();
    for token in [&ada, &ada, &bob] {
        let path = format!("/rooms/lobby?token={token}");
        clients.push(scene.gateway.try_connect(&path, &[]).await.unwrap());
    }
    clients[0].send("for ada's room").await;
    clients[2].send("for bob's room").await;
    assert_eq!(clients[1].text().await, "for ada's room");
    assert_eq!(clients[2].text().await, "for bob's room");
    assert_eq!(clients[0].text().await, "for ada's room");
    // A room of another tenant can't be named.
    let header = format!("Bearer {bob}");
    let path = "/rooms/ada.lobby";
    let mut spy = scene
        .gateway
        .try_connect(path, &[("authorization", &header)])
        .await
        .unwrap();
    clients[0].send("again").await;
    assert_eq!(clients[1].text().await, "again");
    spy.send("mine").await;
    assert_eq!(spy.text().await, "mine", "its own `bob.ada.lobby`");
    scene.gateway.end().await;
}

#[tokio::test]
async fn a_wrong_origin_opens_nothing() {
    let scene = Scene::set().await;
    let evil = ("origin", "https://evil.example");
    for path in ["/", "/ws", "/rooms/a", PATH] {
        let refused = scene.gateway.try_connect(path, &[evil]).await;
        let Err(Error::Http(response)) = refused.map(drop) else {
            panic!("{path}: connected");
        };
        assert_eq!(response.status(), 403, "{path}");
    }
    scene.end().await;
}

#[tokio::test]
async fn a_session_ends_with_its_token_and_a_refresh_must_be_of_the_same_user() {
    let scene = Scene::set().await;
    let short = token(&json!({"sub": "ada", "exp": now() + 2}), SECRET);
    let mut session = Session::fresh(&scene.gateway).await;
    let connected = session.ask("connect", json!({"token": short})).await;
    assert_eq!(connected["connect"]["expires"], true);
    assert!(connected["connect"]["ttl"].as_u64().unwrap() <= 2);
    assert_eq!(session.client.closed().await, 3005);
    let expiring = token(&json!({"sub": "ada", "exp": now() + 100}), SECRET);
    for (token, code) in [
        (of("bob"), 3500),
        ("nonsense".to_owned(), 3500),
        (short, 3005),
    ] {
        let mut session = Session::open_as(&scene.gateway, &expiring).await;
        let refresh = json!({"id": 7, "refresh": {"token": token}}).to_string();
        session.send(&refresh).await;
        assert_eq!(session.client.closed().await, code);
    }
    let mut session = Session::open_as(&scene.gateway, &expiring).await;
    let refreshed = session.ask("refresh", json!({"token": of("ada")})).await;
    assert_eq!(refreshed["refresh"]["expires"], true);
    assert!(refreshed["refresh"]["ttl"].as_u64().unwrap() > 500);
    scene.end().await;
}

#[tokio::test]
async fn the_server_api_wants_its_key() {
    let scene = Scene::set().await;
    for method in [
        "publish",
        "broadcast",
        "subscribe",
        "unsubscribe",
        "disconnect",
        "refresh",
        "presence",
        "presence_stats",
        "history",
        "history_remove",
        "info",
        "batch",
    ] {
        let path = format!("/api/{method}");
        let body = json!({"channel": "room:diary#ada", "user": "ada", "data": 1});
        for key in [
            "",
            "X-API-Key: another key\r\n",
            "Authorization: apikey the kez\r\n",
        ] {
            let (status, ..) = scene.gateway.post(&path, key, &body).await;
            assert_eq!(status, 401, "{method} {key}");
        }
        let ada = format!("Authorization: Bearer {}\r\n", of("ada"));
        let (status, ..) = scene.gateway.post(&path, &ada, &body).await;
        assert_eq!(status, 401, "{method}: a client's token is no key");
    }
    scene.end().await;
}
