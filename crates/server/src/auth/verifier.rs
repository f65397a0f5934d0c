//! Decides whether a token is good, and reads it.
//!
//! The keys decide which algorithms there are; the token only says which key it wants. Never logs a token.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, decode_header};
use tracing::warn;

use super::args::{AuthArgs, MAX_KEY_FILE_BYTES};
use super::claims::{Claims, Expected};
use super::error::{Reason, TokenError};
use super::key::Key;
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
        Ok(Some(Self {
            keys,
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

    #[expect(clippy::unused_async, reason = "keys that are fetched come next")]
    async fn open(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Reason::TooLong.into());
        }
        let header = decode_header(token).map_err(|_| Reason::Malformed)?;
        if header.crit.is_some() {
            return Err(Reason::Critical.into());
        }
        Ok(self.open_with_known(token, header.alg)?)
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
