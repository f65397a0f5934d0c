//! Sets of keys that change, fail, and are asked for keys that don't exist.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use futures_util::future::join_all;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::SetupError;
use super::error::{Reason, TokenError};
use super::fetch::MAX_SET_BYTES;
use super::key_set::{KeySet, Pace};
use super::key_url::KeyUrl;
use super::testing::{SECRET, args, sign, token, verifier};
use super::verifier::Verifier;

/// Reads at every occasion.
const EAGER: Pace = Pace {
    fresh: Duration::ZERO,
    pause: Duration::ZERO,
};
/// Reads for unknown names only, at every occasion.
const LASTING: Pace = Pace {
    fresh: Duration::MAX,
    pause: Duration::ZERO,
};
/// Reads for unknown names only, once.
const LAZY: Pace = Pace {
    fresh: Duration::MAX,
    pause: Duration::MAX,
};

/// A key that is made here, from one byte.
struct Signer {
    name: &'static str,
    key: EncodingKey,
}

impl Signer {
    fn new(name: &'static str, seed: u8) -> Self {
        // What stands before the 32 bytes of an Ed25519 key in PKCS #8.
        let mut der = vec![
            0x30, 46, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 34, 4, 32,
        ];
        der.extend([seed; 32]);
        let key = EncodingKey::from_ed_der(&der);
        Self { name, key }
    }

    fn sign(&self) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.name.to_owned());
        jsonwebtoken::encode(&header, &json!({"sub": self.name}), &self.key).unwrap()
    }

    fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::EdDSA).unwrap();
        jwk.common.key_id = Some(self.name.to_owned());
        serde_json::to_value(jwk).unwrap()
    }
}

fn set(signers: &[&Signer]) -> String {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

/// An identity provider.
struct Provider {
    url: String,
    answer: Arc<Mutex<(StatusCode, String)>>,
    asked: Arc<AtomicUsize>,
    _tasks: TaskTracker,
}

impl Provider {
    async fn start(text: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys?v=1", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new((StatusCode::OK, text)));
        let asked = Arc::new(AtomicUsize::new(0));
        let (shared, count) = (Arc::clone(&answer), Arc::clone(&asked));
        let handler = get(async move || {
            count.fetch_add(1, Ordering::Relaxed);
            shared.lock().unwrap().clone()
        });
        let router = Router::new().route("/keys", handler);
        let tasks = TaskTracker::new();
        tasks.spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            answer,
            asked,
            _tasks: tasks,
        }
    }

    fn answers(&self, status: StatusCode, text: String) {
        *self.answer.lock().unwrap() = (status, text);
    }

    fn was_asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn verifier(&self, pace: Pace) -> Verifier {
        Verifier::of_set(KeySet::at(KeyUrl::parse(&self.url).unwrap(), pace))
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_for_a_new_name() {
    let (old, new) = (Signer::new("old", 1), Signer::new("new", 2));
    let provider = Provider::start(set(&[&old])).await;
    let verifier = provider.verifier(LASTING);
    for _ in 0..3 {
        let identity = verifier.connection(&old.sign()).await.unwrap();
        assert_eq!(identity.user, "old");
    }
    assert_eq!(provider.was_asked(), 1);

    provider.answers(StatusCode::OK, set(&[&old, &new]));
    assert_eq!(verifier.connection(&new.sign()).await.unwrap().user, "new");
    assert!(verifier.connection(&old.sign()).await.is_ok());
    assert_eq!(provider.was_asked(), 2);
}

#[tokio::test]
async fn a_key_that_is_gone_is_not_taken_any_longer() {
    let (old, new) = (Signer::new("old", 1), Signer::new("new", 2));
    let provider = Provider::start(set(&[&old])).await;
    let verifier = provider.verifier(EAGER);
    assert!(verifier.connection(&old.sign()).await.is_ok());
    provider.answers(StatusCode::OK, set(&[&new]));
    let error = verifier.connection(&old.sign()).await.unwrap_err();
    assert_eq!(error, Reason::UnknownKey.into());
    assert!(verifier.connection(&new.sign()).await.is_ok());
}

#[tokio::test]
async fn a_failed_fetch_keeps_the_keys() {
    let (old, new) = (Signer::new("old", 1), Signer::new("new", 2));
    let provider = Provider::start(set(&[&old])).await;
    let verifier = provider.verifier(EAGER);
    assert!(verifier.connection(&old.sign()).await.is_ok());
    let mut asked = 1;
    for (status, text) in [
        (StatusCode::BAD_GATEWAY, set(&[&new])),
        (StatusCode::FOUND, set(&[&new])),
        (StatusCode::OK, "<html>".to_owned()),
        (StatusCode::OK, " ".repeat(MAX_SET_BYTES) + &set(&[&new])),
    ] {
        provider.answers(status, text);
        assert!(verifier.connection(&old.sign()).await.is_ok(), "{status}");
        let error = verifier.connection(&new.sign()).await.unwrap_err();
        assert_eq!(error, TokenError::Unavailable, "{status}");
        asked += 2;
        assert_eq!(provider.was_asked(), asked);
    }
    provider.answers(StatusCode::OK, set(&[&new]));
    assert!(verifier.connection(&new.sign()).await.is_ok());
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_not_the_clients_fault() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = KeyUrl::parse(&format!("http://{address}/")).unwrap();
    let verifier = Verifier::of_set(KeySet::at(url, EAGER));
    let token = Signer::new("a", 1).sign();
    let error = verifier.connection(&token).await.unwrap_err();
    assert_eq!(error, TokenError::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_answer_is_not_waited_for() {
    // Connections are taken by the system, and nobody reads from them.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = KeyUrl::parse(&format!("http://{address}/")).unwrap();
    let verifier = Verifier::of_set(KeySet::at(url, LAZY));
    let token = Signer::new("a", 1).sign();
    let start = tokio::time::Instant::now();
    let all = join_all((0..20).map(|_| verifier.connection(&token))).await;
    assert!(start.elapsed() < Duration::from_secs(4));
    for read in all {
        assert_eq!(read.unwrap_err(), TokenError::Unavailable);
    }
}

#[tokio::test]
async fn a_flood_of_names_is_one_question() {
    let signer = Signer::new("a", 1);
    let provider = Provider::start(set(&[&signer])).await;
    let verifier = provider.verifier(LAZY);
    let forged: Vec<_> = (0..200)
        .map(|index| {
            let header = format!(r#"{{"alg":"EdDSA","kid":"{index}"}}"#);
            token(&header, "{}", &[1; 64])
        })
        .collect();
    let all = join_all(forged.iter().map(|token| verifier.connection(token))).await;
    let of = |error: TokenError| move |read: &&Result<_, _>| read.as_ref().err() == Some(&error);
    let unknown = all.iter().filter(of(Reason::UnknownKey.into())).count();
    let unavailable = all.iter().filter(of(TokenError::Unavailable)).count();
    assert!(unknown > 0 && unknown + unavailable == 200);
    assert_eq!(provider.was_asked(), 1);
    assert!(verifier.connection(&signer.sign()).await.is_ok());
    assert_eq!(provider.was_asked(), 1);
}

#[tokio::test]
async fn what_a_set_can_not_verify_asks_nobody() {
    let signer = Signer::new("a", 1);
    let provider = Provider::start(set(&[&signer])).await;
    let verifier = provider.verifier(EAGER);
    let shared = token(r#"{"alg":"HS256","kid":"a"}"#, "{}", &[1; 32]);
    let error = verifier.connection(&shared).await.unwrap_err();
    assert_eq!(error, Reason::Algorithm.into());
    let nameless = token(r#"{"alg":"EdDSA"}"#, "{}", &[1; 64]);
    let error = verifier.connection(&nameless).await.unwrap_err();
    assert_eq!(error, Reason::UnknownKey.into());
    assert_eq!(provider.was_asked(), 0);

    let other = Signer::new("a", 2);
    let error = verifier.connection(&other.sign()).await.unwrap_err();
    assert_eq!(error, Reason::Signature.into());
}

#[tokio::test]
async fn a_file_may_change() {
    let (old, new) = (Signer::new("old", 1), Signer::new("new", 2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write(&set(&[&old]));
    let verifier = Verifier::of_set(KeySet::in_file(path.clone(), EAGER).unwrap());
    assert!(verifier.connection(&old.sign()).await.is_ok());
    write(&set(&[&old, &new]));
    assert!(verifier.connection(&new.sign()).await.is_ok());
    // Half of it is written, and then it is gone.
    write(r#"{"keys":[{"#);
    assert!(verifier.connection(&new.sign()).await.is_ok());
    std::fs::remove_file(&path).unwrap();
    assert!(verifier.connection(&old.sign()).await.is_ok());
    write(&set(&[&new]));
    let error = verifier.connection(&old.sign()).await.unwrap_err();
    assert_eq!(error, Reason::UnknownKey.into());
}

#[test]
fn a_file_has_to_hold_keys_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let error = |path: &Path| {
        let setting = format!("--token-jwks-file={}", path.display());
        Verifier::new(&args(&[&setting])).unwrap_err()
    };
    assert!(matches!(error(&path), SetupError::Read { .. }));
    std::fs::write(&path, "hush").unwrap();
    assert!(matches!(error(&path), SetupError::KeySet { .. }));
    std::fs::write(&path, r#"{"keys":[]}"#).unwrap();
    assert!(matches!(error(&path), SetupError::NoUsableKey(_)));
}

#[tokio::test]
async fn a_secret_works_beside_a_set() {
    let signer = Signer::new("a", 1);
    let provider = Provider::start(set(&[&signer])).await;
    let url = format!("--token-jwks-url={}", provider.url);
    let verifier = verifier(&[&url, "--token-hmac-secret", SECRET]);
    assert!(verifier.connection(&sign(&json!({}))).await.is_ok());
    assert_eq!(provider.was_asked(), 0);
    assert!(verifier.connection(&signer.sign()).await.is_ok());
    assert_eq!(provider.was_asked(), 1);
}
