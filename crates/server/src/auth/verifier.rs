//! Decides whether a token is good, and reads it.
//!
//! The keys decide which algorithms there are; the token only says which key it wants. Never logs a token.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, AlgorithmFamily, decode_header};
use tracing::warn;

use super::args::{AuthArgs, MAX_KEY_FILE_BYTES};
use super::claims::{Claims, Expected};
use super::error::{Reason, TokenError};
use super::key::Key;
use super::key_set::{KeySet, Pace};
use super::setup::{self, SetupError};
use super::subscription::SubscriptionToken;
use crate::identity::Identity;

/// The longest token that is looked at.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// The shortest shared secret that can't be found by trying: as many bytes as the shortest signature.
const SAFE_SECRET_BYTES: usize = 32;

/// Verifies tokens with the keys of the settings.
#[derive(Debug)]
pub struct Verifier {
    /// Those that are there from the start.
    keys: Vec<Key>,
    /// Those that come and go.
    set: Option<KeySet>,
    expected: Expected,
}

impl Verifier {
    /// Reads the keys; none if no key is set.
    pub fn new(args: &AuthArgs) -> Result<Option<Self>, SetupError> {
        args.validate()?;
        if !args.has_keys() {
            return Ok(None);
        }
        let mut keys = Vec::new();
        if let Some(secret) = args.secret()? {
            if secret.reveal().len() < SAFE_SECRET_BYTES {
                warn!(
                    "the secret of tokens has less than {SAFE_SECRET_BYTES} bytes: whoever sees one token may find \
                     it by trying"
                );
            }
            keys.push(Key::secret(secret.reveal()));
        }
        for path in &args.token_public_key_file {
            let bytes = setup::read(path, MAX_KEY_FILE_BYTES)?;
            keys.push(Key::pem(&bytes).map_err(|source| SetupError::Key {
                path: path.clone(),
                source,
            })?);
        }
        let set = match (args.jwks_url()?, &args.token_jwks_file) {
            (Some(url), _) => Some(KeySet::at(url, Pace::URL)),
            (None, Some(path)) => Some(KeySet::in_file(path.clone(), Pace::FILE)?),
            (None, None) => None,
        };
        Ok(Some(Self {
            keys,
            set,
            expected: args.expected(),
        }))
    }

    /// Reads the token of a connection.
    pub async fn connection(&self, token: &str) -> Result<Arc<Identity>, TokenError> {
        self.open(token).await?.connection(&self.expected, now())
    }

    /// Reads the token of a subscription. Whether it is for that channel and client is for the caller to see.
    pub async fn subscription(&self, token: &str) -> Result<SubscriptionToken, TokenError> {
        self.open(token).await?.subscription(&self.expected, now())
    }

    async fn open(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Reason::TooLong.into());
        }
        let header = decode_header(token).map_err(|_| Reason::Malformed)?;
        if header.crit.is_some() {
            return Err(Reason::Critical.into());
        }
        let why = match self.open_with_known(token, header.alg) {
            Err(why @ (Reason::Signature | Reason::Algorithm)) => why,
            opened => return Ok(opened?),
        };
        // A set holds public keys only.
        let set = self.set.as_ref();
        let set = set.filter(|_| header.alg.family() != AlgorithmFamily::Hmac);
        match (set, header.kid) {
            (None, _) => Err(why.into()),
            (Some(_), None) => Err(Reason::UnknownKey.into()),
            (Some(set), Some(name)) => Ok(set.key(&name, header.alg).await?.open(token)?),
        }
    }

    /// Tries the keys that are there from the start.
    fn open_with_known(&self, token: &str, algorithm: Algorithm) -> Result<Claims, Reason> {
        let mut why = Reason::Algorithm;
        for key in self.keys.iter().filter(|key| key.is_for(algorithm)) {
            match key.open(token) {
                Err(Reason::Signature) => why = Reason::Signature,
                opened => return opened,
            }
        }
        Err(why)
    }
}

/// Seconds since the Unix epoch.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
impl Verifier {
    /// One with a set only.
    pub(super) fn of_set(set: KeySet) -> Self {
        Self {
            keys: Vec::new(),
            set: Some(set),
            expected: Expected::default(),
        }
    }
}
