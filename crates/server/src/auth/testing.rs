//! What the tests of authentication share: settings, and tokens that are signed here. The secret is for tests only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Parser as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use serde_json::Value;

use super::args::AuthArgs;
use super::verifier::Verifier;

/// As long as it should be.
pub(super) const SECRET: &str = "a secret for tests, of 32 bytes..";

#[derive(clap::Parser)]
struct Settings {
    #[command(flatten)]
    auth: AuthArgs,
}

/// The settings, as from a command line.
pub(super) fn args(settings: &[&str]) -> AuthArgs {
    let all = ["server"].iter().chain(settings);
    Settings::try_parse_from(all).unwrap().auth
}

/// A verifier of these settings, which must hold a key.
pub(super) fn verifier(settings: &[&str]) -> Verifier {
    Verifier::new(&args(settings)).unwrap().unwrap()
}

/// A token with the secret of tests.
pub(super) fn sign(claims: &impl Serialize) -> String {
    sign_with(Algorithm::HS256, SECRET.as_bytes(), claims)
}

/// A token with a shared secret.
pub(super) fn sign_with(algorithm: Algorithm, secret: &[u8], claims: &impl Serialize) -> String {
    let key = EncodingKey::from_secret(secret);
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

/// A token of any parts.
pub(super) fn token(header: &str, claims: &str, signature: &[u8]) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A JWK of members, and some more.
pub(super) fn jwk(members: &[(&str, &str)], more: Value) -> Value {
    let Value::Object(mut all) = more else {
        panic!("a JWK is an object, not {more}");
    };
    let members = members
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()));
    all.extend(members);
    all.into()
}
