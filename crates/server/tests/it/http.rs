//! A client of the HTTP API, and tokens for it.

use std::{fmt::Write as _, net::SocketAddr, time::SystemTime};

use broker::testing::TestRedis;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{gateway::Gateway, within};

/// As long as it should be; for tests only.
pub(crate) const SECRET: &str = "a secret for tests, of 32 bytes..";
/// The setting that has tokens verified with it.
pub(crate) const KEYS: &str = "--token-hmac-secret=a secret for tests, of 32 bytes..";

/// A token with these claims.
pub(crate) fn token(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

/// Now and some seconds, as claims have it.
pub(crate) fn seconds_from_now(seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs() + seconds
}

/// Who asks, and of whom.
#[derive(Clone)]
pub(crate) struct Http {
    address: SocketAddr,
    host: String,
    headers: Vec<(String, String)>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// Fails unless it is a refusal with this status and code.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{self:?}");
        assert_eq!(problem["status"], status, "{self:?}");
        assert_eq!(problem["type"], "about:blank");
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        if status == 429 || status == 503 {
            assert!(self.header("retry-after").is_some(), "{self:?}");
        }
    }
}

impl Http {
    /// Somebody without a token.
    pub(crate) fn of(gateway: &Gateway) -> Self {
        Self {
            address: gateway.address(),
            host: gateway.address().to_string(),
            headers: Vec::new(),
        }
    }

    /// The same, with another header in every request.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.push((name.to_owned(), value.to_owned()));
        Self {
            headers,
            ..self.clone()
        }
    }

    /// The same, with a token.
    pub(crate) fn bearer(&self, token: &str) -> Self {
        self.with("Authorization", &format!("Bearer {token}"))
    }

    /// Sends a request; what it answers is read from the stream.
    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in &self.headers {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        if !body.is_empty() {
            write!(request, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        request += "Connection: close\r\n\r\n";
        request += body;
        // A body that is not wanted may not be read to its end.
        let _ = stream.write_all(request.as_bytes()).await;
        stream
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let talk = async {
            let mut stream = self.send(method, path, body).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8(answer).unwrap()
        };
        let answer = within(path, talk).await;
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            panic!("{method} {path}: {answer:?}");
        };
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let json = self.with("Content-Type", "application/json");
        json.ask("POST", path, &body.to_string()).await
    }

    /// Hands in a job of the queue `chat`, and returns its address.
    pub(crate) async fn submit(&self, job: Value) -> String {
        let answer = self.post("/v1/queues/chat/jobs", &job).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        format!("/v1/queues/chat/jobs/{id}")
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_as_a_problem() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    http.get("/v1/nothing").await.refuses(404, "not_found");
    http.get("/v1/queues/chat/jobs/x/nothing")
        .await
        .refuses(404, "not_found");
    let answer = http.ask("PUT", "/v1/queues/chat/jobs", "").await;
    answer.refuses(405, "method_not_allowed");
    assert!(
        answer.header("allow").unwrap().contains("post"),
        "{answer:?}"
    );
    let answer = http.get("/v1/queues/%ff/jobs/x").await;
    answer.refuses(400, "malformed");
    gateway.end().await;
}

#[tokio::test]
async fn bodies_are_looked_at_before_they_are_read() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let jobs = "/v1/queues/chat/jobs";
    let text = http.with("Content-Type", "text/plain");
    let answer = text.ask("POST", jobs, "{}").await;
    answer.refuses(415, "unsupported_media_type");
    http.ask("POST", jobs, "{}")
        .await
        .refuses(415, "unsupported_media_type");
    let json = http.with("Content-Type", "application/json");
    let long = format!("{{\"kind\":\"{}\"}}", "x".repeat(700_000));
    json.ask("POST", jobs, &long)
        .await
        .refuses(413, "too_large");
    for (body, code) in [
        ("", "malformed"),
        ("{", "malformed"),
        (r#"{"kind":"a"}x"#, "malformed"),
        ("[]", "invalid_job"),
        ("{}", "invalid_job"),
        (r#"{"kind":5}"#, "invalid_job"),
        (r#"{"kind":"a b"}"#, "invalid_name"),
        (
            r#"{"kind":"a","options":{"max_attempts":0}}"#,
            "invalid_job",
        ),
        (r#"{"kind":"a","options":{"unknown":0}}"#, "invalid_job"),
    ] {
        json.ask("POST", jobs, body).await.refuses(400, code);
    }
    gateway.end().await;
}

#[tokio::test]
async fn pages_of_other_origins_need_to_be_allowed() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--allowed-origins=https://good.example"]).await;
    let http = Http::of(&gateway);
    let job = json!({"kind": "a"});
    let evil = http.with("Origin", "https://evil.example");
    let answer = evil.post("/v1/queues/chat/jobs", &job).await;
    answer.refuses(403, "origin_refused");
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let asking = |http: &Http| http.with("Access-Control-Request-Method", "POST");
    let answer = asking(&evil)
        .ask("OPTIONS", "/v1/queues/chat/jobs", "")
        .await;
    answer.refuses(403, "origin_refused");

    let good = http.with("Origin", "https://good.example");
    let answer = asking(&good)
        .ask("OPTIONS", "/v1/queues/chat/jobs", "")
        .await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let allowed = answer.header("access-control-allow-headers").unwrap();
    assert!(allowed.contains("authorization") && allowed.contains("idempotency-key"));
    let answer = good.post("/v1/queues/chat/jobs", &job).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let origin = answer.header("access-control-allow-origin");
    assert_eq!(origin, Some("https://good.example"));
    gateway.end().await;
}

/// All references in a JSON document.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn a_page_whose_name_was_pointed_here_reads_nothing() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let http = Http::of(&gateway);
    let rebound = Http {
        host: "evil.example.com:3000".to_owned(),
        ..http.clone()
    };
    for path in ["/v1/queues/chat/jobs", "/openapi.json"] {
        rebound.get(path).await.refuses(403, "origin_refused");
        assert_eq!(http.get(path).await.status, 200);
    }
    gateway.end().await;
}

#[tokio::test]
async fn the_api_describes_itself() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[KEYS]).await;
    let http = Http::of(&gateway);
    let answer = http.get("/openapi.json").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let api = answer.json();
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut found = Vec::new();
    references(&api, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let target = api.pointer(reference.trim_start_matches('#'));
        assert!(target.is_some(), "{reference} leads nowhere");
    }
    let operations = api["paths"].as_object().unwrap().values();
    let operations: Vec<_> = operations
        .flat_map(|item| item.as_object().unwrap())
        .collect();
    assert_eq!(operations.len(), 7);
    for (_, operation) in operations {
        let id = &operation["operationId"];
        assert!(operation["security"][0]["bearer"].is_array(), "{id}");
        for parameter in operation["parameters"].as_array().unwrap() {
            assert!(parameter["description"].is_string(), "{id} {parameter}");
        }
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let refusal = status.as_str() >= "400";
            let problem = answer["content"].get("application/problem+json");
            assert_eq!(refusal, problem.is_some(), "{id} {status}");
        }
    }
    let page = http.get("/docs").await;
    assert_eq!(page.status, 200, "{page:?}");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    gateway.end().await;
}
