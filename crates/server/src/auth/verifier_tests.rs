//! Tokens as clients show them, against a verifier of real settings.

use jsonwebtoken::{Algorithm, get_current_timestamp};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::error::{Reason, TokenError};
use super::testing::{SECRET, sign, sign_with, token, verifier};
use super::verifier::Verifier;
use crate::identity::Identity;

fn hmac() -> Verifier {
    verifier(&["--token-hmac-secret", SECRET])
}

async fn read(claims: Value) -> Result<Identity, TokenError> {
    let identity = hmac().connection(&sign(&claims)).await?;
    Ok(Identity::clone(&identity))
}

async fn refused(token: &str) -> TokenError {
    hmac().connection(token).await.unwrap_err()
}

#[tokio::test]
async fn all_hmac_algorithms_are_taken() {
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let token = sign_with(algorithm, SECRET.as_bytes(), &json!({"sub": "42"}));
        assert_eq!(hmac().connection(&token).await.unwrap().user, "42");
    }
}

#[tokio::test]
async fn every_claim_is_optional() {
    for claims in [json!({}), json!({"iat": 1_700_000_000})] {
        let identity = read(claims).await.unwrap();
        assert!(identity.is_anonymous());
        assert_eq!(identity.tenant.as_str(), "public");
        assert_eq!(identity.expires_at, None);
    }
}

#[tokio::test]
async fn a_forged_token_is_refused() {
    let claims = json!({"sub": "alice"});
    let forged = sign_with(Algorithm::HS256, b"another secret", &claims);
    assert_eq!(refused(&forged).await, Reason::Signature.into());

    let good = sign(&claims);
    let (text, signature) = good.rsplit_once('.').unwrap();
    let other = sign(&json!({"sub": "bob"}));
    let swapped = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
    assert_eq!(refused(&swapped).await, Reason::Signature.into());
    let unsigned = format!("{text}.");
    assert_eq!(refused(&unsigned).await, Reason::Signature.into());
}

#[tokio::test]
async fn no_signature_is_no_token() {
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None","typ":"JWT"}"#,
        r#"{"alg":""}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":["HS256","none"]}"#,
    ] {
        let token = token(header, r#"{"sub":"alice"}"#, b"");
        assert_eq!(refused(&token).await, Reason::Malformed.into(), "{header}");
    }
    for text in ["x", "a.b", "a.b.c", "a.b.c.d", "..", "é.é.é"] {
        assert_eq!(refused(text).await, Reason::Malformed.into(), "{text}");
    }
}

#[tokio::test]
async fn an_algorithm_without_a_key_is_refused() {
    for name in ["RS256", "PS512", "ES256", "ES384", "EdDSA"] {
        let token = token(&format!(r#"{{"alg":"{name}"}}"#), "{}", &[1; 64]);
        assert_eq!(refused(&token).await, Reason::Algorithm.into(), "{name}");
    }
}

#[tokio::test]
async fn extensions_are_refused() {
    let token = token(r#"{"alg":"HS256","crit":["x"],"x":1}"#, "{}", b"");
    assert_eq!(refused(&token).await, Reason::Critical.into());
}

#[tokio::test]
async fn a_huge_token_is_not_looked_at() {
    let token = sign(&json!({"sub": "alice", "info": "x".repeat(7000)}));
    assert_eq!(refused(&token).await, Reason::TooLong.into());
}

#[tokio::test]
async fn claims_that_can_not_be_read_are_refused() {
    for claims in [
        json!({"sub": 42}),
        json!({"exp": "tomorrow"}),
        json!({"queues": ["a:b"]}),
        json!({"queues": "chat"}),
        json!({"kinds": [""]}),
        json!({"allow": {"subscribed": []}}),
        json!({"allow": {"subscribe": "*"}}),
        json!({"limits": {"max_connection": 1}}),
        json!({"limits": {"max_connections": -1}}),
        json!({"subs": ["a"]}),
        json!({"b64info": "?"}),
        json!([]),
        json!("alice"),
    ] {
        let error = read(claims.clone()).await.unwrap_err();
        assert_eq!(error, Reason::Claims.into(), "{claims}");
    }
    // Who signed may have read the first one.
    let twice = serde_json::from_str::<&RawValue>(r#"{"sub":"alice","sub":"bob"}"#).unwrap();
    assert_eq!(refused(&sign(&twice)).await, Reason::Claims.into());
}

#[tokio::test]
async fn a_token_has_its_time() {
    let now = get_current_timestamp();
    let expired = TokenError::Expired;
    for claims in [
        json!({"exp": now - 1}),
        json!({"exp": 0}),
        json!({"exp": now as f64 - 0.5}),
        json!({"nbf": now + 100}),
        json!({"exp": now - 1, "expire_at": now + 100}),
        json!({"exp": now - 1, "expire_at": 0}),
    ] {
        assert_eq!(read(claims.clone()).await.unwrap_err(), expired, "{claims}");
    }
    for (claims, end) in [
        (json!({"exp": now + 100, "nbf": now}), Some(now + 100)),
        (json!({"exp": now + 100, "expire_at": 0}), None),
        (json!({"expire_at": now + 200}), Some(now + 200)),
        (
            json!({"exp": now + 100, "expire_at": now + 9}),
            Some(now + 9),
        ),
        (json!({"exp": null}), None),
    ] {
        let identity = read(claims.clone()).await.unwrap();
        assert_eq!(identity.expires_at, end, "{claims}");
    }
    let ended = read(json!({"exp": now + 100, "expire_at": now - 1})).await;
    assert_eq!(ended.unwrap_err(), TokenError::Ended);
}

#[tokio::test]
async fn a_connection_lasts_a_year_at_most() {
    const YEAR: u64 = 365 * 24 * 3600;
    let before = get_current_timestamp();
    for claims in [
        json!({"exp": before + 10 * YEAR}),
        json!({"expire_at": 1e300}),
    ] {
        let end = read(claims).await.unwrap().expires_at.unwrap();
        let after = get_current_timestamp();
        assert!((before + YEAR..=after + YEAR).contains(&end), "{end}");
    }
}

#[tokio::test]
async fn an_invalid_token_does_not_become_one_by_renewing() {
    let error = read(json!({"exp": 1, "channel": "news:a"})).await;
    assert_eq!(error.unwrap_err(), Reason::HasChannel.into());
    let error = read(json!({"exp": 1, "tenant": "a.b"})).await;
    assert_eq!(error.unwrap_err(), Reason::Tenant.into());
}

#[tokio::test]
async fn audience_and_issuer_are_checked_if_they_are_set() {
    let any = hmac();
    let strict = verifier(&[
        "--token-hmac-secret",
        SECRET,
        "--token-audience=gate",
        "--token-issuer=me",
    ]);
    for (claims, expected) in [
        (json!({"aud": "gate", "iss": "me"}), None),
        (json!({"aud": ["x", "gate"], "iss": "me"}), None),
        (json!({"aud": "x", "iss": "me"}), Some(Reason::Audience)),
        (json!({"aud": [], "iss": "me"}), Some(Reason::Audience)),
        (json!({"iss": "me"}), Some(Reason::Audience)),
        (json!({"aud": "gate", "iss": "you"}), Some(Reason::Issuer)),
        (json!({"aud": "gate"}), Some(Reason::Issuer)),
    ] {
        let token = sign(&claims);
        assert!(any.connection(&token).await.is_ok(), "{claims}");
        let error = strict.connection(&token).await.err();
        assert_eq!(error, expected.map(TokenError::from), "{claims}");
    }
}

#[tokio::test]
async fn a_connection_token_says_what_the_client_may_do() {
    let identity = read(json!({
        "sub": "alice", "tenant": "acme", "info": {"name": "Alice"}, "meta": {"x": 1},
        "queues": ["chat", "mail"], "kinds": ["echo"],
        "allow": {"subscribe": ["news:*"], "publish": ["news:alice.*"]},
        "limits": {"max_submits_per_second": 5, "max_payload_bytes": 100,
                   "max_subscriptions": 3, "max_connections": 2},
        "channels": ["b", "a", "b"],
    }))
    .await
    .unwrap();
    assert_eq!(identity.user, "alice");
    assert_eq!(identity.tenant.as_str(), "acme");
    assert_eq!(identity.info.as_ref().unwrap().get(), r#"{"name":"Alice"}"#);
    assert!(identity.may_use_queue(&"mail".parse().unwrap()));
    assert!(!identity.may_use_queue(&"video".parse().unwrap()));
    assert!(!identity.may_use_kind(&"chat".parse().unwrap()));
    assert!(identity.may_subscribe("news:x") && !identity.may_subscribe("jobs:x"));
    assert!(identity.may_publish("news:alice.x") && !identity.may_publish("news:bob.x"));
    assert_eq!(identity.scope.limits.max_submits_per_second, Some(5));
    assert_eq!(identity.scope.limits.max_connections, Some(2));
    let names: Vec<_> = identity.subs.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn subs_replace_channels() {
    let identity = read(json!({
        "channels": ["a"],
        "subs": {"b": {"info": {"x": 1}, "b64data": "eyJhIjogMX0=",
                       "override": {"presence": {"value": true}, "join_leave": {"value": false}}}},
    }))
    .await
    .unwrap();
    let [(name, grant)] = &identity.subs[..] else {
        panic!("one subscription, not {:?}", identity.subs);
    };
    assert_eq!(name, "b");
    assert_eq!(grant.info.as_ref().unwrap().get(), r#"{"x":1}"#);
    assert_eq!(grant.data.as_ref().unwrap().get(), r#"{"a":1}"#);
    assert_eq!(grant.overrides.presence, Some(true));
    assert_eq!(grant.overrides.join_leave, Some(false));
    assert_eq!(grant.overrides.force_recovery, None);
}

#[tokio::test]
async fn a_subscription_token_is_for_one_channel() {
    let now = get_current_timestamp();
    let verifier = hmac();
    let token = sign(&json!({
        "sub": "alice", "channel": "$news:a", "client": "c1", "exp": now + 100,
        "info": 1, "data": [2], "override": {"force_recovery": {"value": true}},
    }));
    let read = verifier.subscription(&token).await.unwrap();
    assert!(read.fits("$news:a", "alice", "c1"));
    assert_eq!(read.expires_at, Some(now + 100));
    assert_eq!(read.grant.data.as_ref().unwrap().get(), "[2]");
    assert_eq!(read.grant.overrides.force_recovery, Some(true));
    let error = verifier.connection(&token).await.unwrap_err();
    assert_eq!(error, Reason::HasChannel.into());

    for claims in [json!({"sub": "alice"}), json!({"channel": ""})] {
        let error = verifier.subscription(&sign(&claims)).await.unwrap_err();
        assert_eq!(error, Reason::NoChannel.into());
    }
    let old = sign(&json!({"channel": "a", "exp": now - 1}));
    let error = verifier.subscription(&old).await.unwrap_err();
    assert_eq!(error, TokenError::Expired);
}

#[tokio::test]
async fn nothing_shows_a_token_or_a_secret() {
    let shown = |value: &dyn std::fmt::Debug| format!("{value:?} {value:#?}");
    let verifier = hmac();
    let args = super::testing::args(&["--token-hmac-secret", SECRET]);
    let access = super::Access::new(&args, false).unwrap();
    for text in [shown(&verifier), shown(&args), shown(&access)] {
        assert!(
            !text.contains(SECRET) && !text.contains("97, 32, 115"),
            "{text}"
        );
    }
    for claims in [
        json!({"sub": "hush", "exp": "hush"}),
        json!({"sub": "hush", "channel": "hush", "limits": {"hush": 1}}),
        json!({"sub": "hush", "tenant": "hush.hush"}),
        json!({"sub": "hush", "exp": 1}),
    ] {
        let token = sign(&claims);
        let error = verifier.connection(&token).await.unwrap_err();
        let denied = super::Denied::from(error);
        let text = format!("{error} {error:?} {denied} {denied:?}");
        for part in token.split('.').chain(["hush", SECRET]) {
            assert!(!text.contains(part), "{text}");
        }
    }
    let token = sign(&json!({"sub": "alice", "channel": "a"}));
    let read = verifier.subscription(&token).await.unwrap();
    let identity = read_debug(&verifier).await;
    for text in [shown(&read), identity] {
        assert!(token.split('.').all(|part| !text.contains(part)), "{text}");
    }
}

async fn read_debug(verifier: &Verifier) -> String {
    let identity = verifier.connection(&sign(&json!({"sub": "alice"}))).await;
    format!("{identity:?}")
}
