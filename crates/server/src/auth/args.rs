//! The settings of authentication.
//!
//! Contradictions are refused; files are not looked at.

use std::path::PathBuf;

use super::claims::Expected;
use super::key_url::{KeyUrl, KeyUrlError};
use super::setup::{self, SetupError};
use service::Secret;

/// The longest file of a secret or a public key.
pub(super) const MAX_KEY_FILE_BYTES: usize = 64 * 1024;

/// How clients show who they are. Without any key, everybody is anonymous.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct AuthArgs {
    /// Secret that tokens are signed with by HMAC (HS256, HS384, HS512); better in a file or the environment, since
    /// other users of the machine see arguments
    #[arg(
        long,
        env = "TOKEN_HMAC_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub token_hmac_secret: Option<Secret>,
    /// File with that secret; a line break at its end does not count
    #[arg(long, env = "TOKEN_HMAC_SECRET_FILE", value_name = "FILE")]
    pub token_hmac_secret_file: Option<PathBuf>,
    /// File with a public key in PEM: RSA, EC on P-256 or P-384, or Ed25519; may be given several times, or as a list with commas
    #[arg(
        long,
        env = "TOKEN_PUBLIC_KEY_FILE",
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub token_public_key_file: Vec<PathBuf>,
    /// Address of a set of public keys (JWKS), such as `http://localhost:8080/jwks.json`; plain HTTP only
    #[arg(long, env = "TOKEN_JWKS_URL", value_name = "URL")]
    pub token_jwks_url: Option<String>,
    /// File with a set of public keys (JWKS); it may change while the server runs
    #[arg(long, env = "TOKEN_JWKS_FILE", value_name = "FILE")]
    pub token_jwks_file: Option<PathBuf>,
    /// The audience that tokens must be for (`aud`) [default: any]
    #[arg(long, env = "TOKEN_AUDIENCE", value_name = "AUDIENCE")]
    pub token_audience: Option<String>,
    /// The issuer that tokens must be from (`iss`) [default: any]
    #[arg(long, env = "TOKEN_ISSUER", value_name = "ISSUER")]
    pub token_issuer: Option<String>,
    /// Let clients without a token in too, as anonymous ones
    #[arg(long, env = "ALLOW_ANONYMOUS", default_value_t = false)]
    pub allow_anonymous: bool,
}

/// Settings of authentication that can't hold together. Never repeats a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAuthArgs {
    /// It would be the secret of anyone.
    #[error("{0} is empty: leave it out, or set it")]
    Empty(&'static str),
    /// One of two would be ignored.
    #[error("{0} and {1} say the same thing: set one of them")]
    Both(&'static str, &'static str),
    /// It says something of tokens, and none can be verified.
    #[error(
        "{0} is set, but no key: set one of the --token-hmac-*, --token-public-key-* or --token-jwks-* options"
    )]
    NoKeys(&'static str),
    /// The set of keys can't be fetched from there.
    #[error("--token-jwks-url: {0}")]
    JwksUrl(KeyUrlError),
}

impl AuthArgs {
    /// Refuses contradictions.
    pub fn validate(&self) -> Result<(), InvalidAuthArgs> {
        let is_empty =
            |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
        let secret = self.token_hmac_secret.as_ref();
        for (is_empty, name) in [
            (
                secret.is_some_and(|secret| secret.reveal().is_empty()),
                "--token-hmac-secret",
            ),
            (is_empty(&self.token_jwks_url), "--token-jwks-url"),
            (is_empty(&self.token_audience), "--token-audience"),
            (is_empty(&self.token_issuer), "--token-issuer"),
        ] {
            if is_empty {
                return Err(InvalidAuthArgs::Empty(name));
            }
        }
        if secret.is_some() && self.token_hmac_secret_file.is_some() {
            let names = ("--token-hmac-secret", "--token-hmac-secret-file");
            return Err(InvalidAuthArgs::Both(names.0, names.1));
        }
        if self.token_jwks_url.is_some() && self.token_jwks_file.is_some() {
            let names = ("--token-jwks-url", "--token-jwks-file");
            return Err(InvalidAuthArgs::Both(names.0, names.1));
        }
        self.jwks_url()?;
        for (is_set, name) in [
            (self.token_audience.is_some(), "--token-audience"),
            (self.token_issuer.is_some(), "--token-issuer"),
            (self.allow_anonymous, "--allow-anonymous"),
        ] {
            if is_set && !self.has_keys() {
                return Err(InvalidAuthArgs::NoKeys(name));
            }
        }
        Ok(())
    }

    /// Whether there is something to verify tokens with, so that clients show who they are.
    pub fn has_keys(&self) -> bool {
        self.token_hmac_secret.is_some()
            || self.token_hmac_secret_file.is_some()
            || !self.token_public_key_file.is_empty()
            || self.token_jwks_url.is_some()
            || self.token_jwks_file.is_some()
    }

    /// The shared secret, if there is one.
    pub(super) fn secret(&self) -> Result<Option<Secret>, SetupError> {
        let Some(path) = &self.token_hmac_secret_file else {
            return Ok(self.token_hmac_secret.clone());
        };
        let bytes = setup::read(path, MAX_KEY_FILE_BYTES)?;
        let text = String::from_utf8(bytes).map_err(|_| SetupError::BinarySecret(path.clone()))?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(SetupError::EmptySecret(path.clone()));
        }
        Ok(Some(text.into()))
    }

    /// Where a set of keys is fetched, if anywhere.
    pub(super) fn jwks_url(&self) -> Result<Option<KeyUrl>, InvalidAuthArgs> {
        let url = self.token_jwks_url.as_deref().map(KeyUrl::parse);
        url.transpose().map_err(InvalidAuthArgs::JwksUrl)
    }

    /// What every token must say.
    pub(super) fn expected(&self) -> Expected {
        Expected {
            audience: self.token_audience.clone(),
            issuer: self.token_issuer.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::InvalidAuthArgs::{self, Both, Empty, JwksUrl, NoKeys};
    use crate::auth::KeyUrlError;
    use crate::auth::testing::args;

    fn check(settings: &[&str]) -> Result<(), InvalidAuthArgs> {
        args(settings).validate()
    }

    #[test]
    fn each_key_is_enough() {
        assert_eq!(check(&[]), Ok(()));
        assert!(!args(&[]).has_keys());
        for key in [
            "--token-hmac-secret=x",
            "--token-hmac-secret-file=x",
            "--token-public-key-file=x,y",
            "--token-jwks-url=http://id/keys",
            "--token-jwks-file=x",
        ] {
            let all = [
                key,
                "--allow-anonymous",
                "--token-issuer=a",
                "--token-audience=b",
            ];
            assert_eq!(check(&all), Ok(()), "{key}");
            assert!(args(&all).has_keys(), "{key}");
        }
        let files = args(&["--token-public-key-file=a,b", "--token-public-key-file=c"]);
        assert_eq!(files.token_public_key_file.len(), 3);
    }

    #[test]
    fn contradictions_are_refused() {
        let hmac = "--token-hmac-secret=x";
        for (settings, error) in [
            (&["--token-hmac-secret="][..], Empty("--token-hmac-secret")),
            (&["--token-jwks-url= "], Empty("--token-jwks-url")),
            (&[hmac, "--token-audience="], Empty("--token-audience")),
            (&[hmac, "--token-issuer="], Empty("--token-issuer")),
            (
                &[hmac, "--token-hmac-secret-file=y"],
                Both("--token-hmac-secret", "--token-hmac-secret-file"),
            ),
            (
                &["--token-jwks-url=http://id/", "--token-jwks-file=y"],
                Both("--token-jwks-url", "--token-jwks-file"),
            ),
            (&["--allow-anonymous"], NoKeys("--allow-anonymous")),
            (&["--token-issuer=me"], NoKeys("--token-issuer")),
            (
                &["--token-jwks-url=https://id/"],
                JwksUrl(KeyUrlError::Scheme),
            ),
        ] {
            assert_eq!(check(settings), Err(error), "{settings:?}");
        }
    }
}
