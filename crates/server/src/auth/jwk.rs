//! Sets of public keys as identity providers publish them (JWKS, RFC 7517).
//!
//! A set often holds keys for other uses and of other kinds: they are left out, and so is a shared secret, which has no
//! place where anyone can read it. Keys without a name are left out too: tokens could not say that they mean them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::debug;

use super::key::{Key, KeyError};

/// How many keys of a set are read.
const MAX_KEYS: usize = 100;

/// The keys of a set, by name; a name may stand for several keys of different kinds.
#[derive(Clone, Debug, Default)]
pub(super) struct NamedKeys(Vec<(String, Arc<Key>)>);

#[derive(Deserialize)]
struct Set {
    keys: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// A text is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it holds no set of keys: JSON with a list `keys`")]
pub struct NoKeySet;

impl NamedKeys {
    /// The usable keys of a set.
    pub(super) fn read(text: &[u8]) -> Result<Self, NoKeySet> {
        let set: Set = serde_json::from_slice(text).map_err(|_| NoKeySet)?;
        let read = |(index, raw): (usize, Box<RawValue>)| {
            let read = serde_json::from_str::<Jwk>(raw.get())
                .map_err(|_| Unusable::Members)
                .and_then(Jwk::read);
            read.inspect_err(|why| debug!(index, %why, "a key of a set is left out"))
                .ok()
        };
        let keys = set.keys.into_iter().take(MAX_KEYS).enumerate();
        Ok(Self(keys.filter_map(read).collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of this name that tokens of this algorithm may be verified with.
    pub(super) fn get(&self, name: &str, algorithm: Algorithm) -> Option<Arc<Key>> {
        let mut keys = self.0.iter();
        let fits = |(own, key): &&(String, Arc<Key>)| own == name && key.is_for(algorithm);
        keys.find(fits).map(|(_, key)| Arc::clone(key))
    }
}

/// Why a key is left out.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Unusable {
    #[error("a member is missing or no text")]
    Members,
    #[error("it has no name (`kid`)")]
    NoName,
    #[error("it is not for verifying")]
    Use,
    #[error("its algorithm is not known, or not one for this kind of key")]
    Algorithm,
    #[error("a number is not in base 64")]
    Base64,
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Jwk {
    fn read(self) -> Result<(String, Arc<Key>), Unusable> {
        let is_for_verifying = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self
                .key_ops
                .as_ref()
                .is_none_or(|all| all.iter().any(|one| one == "verify"));
        if !is_for_verifying {
            return Err(Unusable::Use);
        }
        let key = match (&*self.kty, self.crv.as_deref()) {
            ("RSA", _) => Key::rsa(&number(self.n.as_ref())?, &number(self.e.as_ref())?)?,
            ("EC", Some("P-256")) => Key::ec(&self.point(32)?, Algorithm::ES256)?,
            ("EC", Some("P-384")) => Key::ec(&self.point(48)?, Algorithm::ES384)?,
            ("OKP", Some("Ed25519")) => Key::ed(&number(self.x.as_ref())?)?,
            _ => return Err(KeyError::Kind.into()),
        };
        let key = match self.alg.as_deref() {
            None => key,
            // The newer name, which says the curve (RFC 9864).
            Some("Ed25519") => key.only(Algorithm::EdDSA).ok_or(Unusable::Algorithm)?,
            Some(name) => {
                let algorithm = name.parse().map_err(|_| Unusable::Algorithm)?;
                key.only(algorithm).ok_or(Unusable::Algorithm)?
            }
        };
        let name = self.kid.filter(|name| !name.is_empty());
        Ok((name.ok_or(Unusable::NoName)?, Arc::new(key)))
    }

    /// The point in SEC 1's form, of two numbers of this length.
    fn point(&self, length: usize) -> Result<Vec<u8>, Unusable> {
        let (x, y) = (number(self.x.as_ref())?, number(self.y.as_ref())?);
        if x.len() != length || y.len() != length {
            return Err(KeyError::Numbers.into());
        }
        Ok([&[4], &x[..], &y].concat())
    }
}

fn number(text: Option<&String>) -> Result<Vec<u8>, Unusable> {
    let text = text.ok_or(Unusable::Members)?;
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| Unusable::Base64)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::Algorithm;
    use serde_json::{Value, json};

    use super::NamedKeys;
    use crate::auth::testing::jwk;
    use crate::auth::testing_keys::{EC256, EC256_JWK, EC384, EC384_JWK, ED, ED_JWK, RSA, RSA_JWK};

    fn read(keys: &[Value]) -> NamedKeys {
        NamedKeys::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn every_kind_of_key_is_read() {
        for (members, signed) in [
            (RSA_JWK, RSA),
            (EC256_JWK, EC256),
            (EC384_JWK, EC384),
            (ED_JWK, ED),
        ] {
            let keys = read(&[jwk(
                members,
                json!({"kid": "a", "use": "sig", "x5c": ["?"]}),
            )]);
            for (name, token) in signed.tokens {
                let key = keys.get("a", name.parse().unwrap()).unwrap();
                assert!(key.open(token).is_ok(), "{name}");
            }
        }
    }

    #[test]
    fn a_key_may_be_for_one_algorithm() {
        let keys = read(&[jwk(RSA_JWK, json!({"kid": "a", "alg": "PS256"}))]);
        assert!(keys.get("a", Algorithm::PS256).is_some());
        assert!(keys.get("a", Algorithm::RS256).is_none());
        assert!(keys.get("b", Algorithm::PS256).is_none());
        let keys = read(&[jwk(ED_JWK, json!({"kid": "a", "alg": "Ed25519"}))]);
        assert!(keys.get("a", Algorithm::EdDSA).is_some());
    }

    #[test]
    fn what_can_not_be_used_is_left_out() {
        for key in [
            json!(1),
            json!({"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"}),
            json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA", "kid": "a"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "a"}),
            json!({"kty": "RSA", "kid": "a"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "a"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "?", "kid": "a"}),
            jwk(ED_JWK, json!({})),
            jwk(ED_JWK, json!({"kid": ""})),
            jwk(ED_JWK, json!({"kid": "a", "use": "enc"})),
            jwk(ED_JWK, json!({"kid": "a", "key_ops": ["encrypt"]})),
            jwk(RSA_JWK, json!({"kid": "a", "alg": "HS256"})),
            jwk(RSA_JWK, json!({"kid": "a", "alg": "ES256"})),
            jwk(RSA_JWK, json!({"kid": "a", "alg": "RSA-OAEP"})),
        ] {
            let good = jwk(EC256_JWK, json!({"kid": "good"}));
            let keys = read(&[key.clone(), good]);
            assert_eq!(keys.0.len(), 1, "{key}");
            assert!(keys.get("good", Algorithm::ES256).is_some());
        }
    }

    #[test]
    fn a_set_is_json_with_a_list() {
        for text in ["", "{}", "[]", r#"{"keys":{}}"#, "<html>"] {
            assert!(NamedKeys::read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(NamedKeys::read(br#"{"keys":[]}"#).unwrap().is_empty());
    }
}
