//! Who may come in: tokens, and what is done without one.
//!
//! A client shows a JWT; with it, [`Access`] makes an [`Identity`], which is all that the rest of the server sees.
//! Tokens and keys are never logged, and no error holds a part of one.

mod args;
mod claims;
mod error;
mod fetch;
mod jwk;
mod key;
mod key_set;
#[cfg(test)]
mod key_set_tests;
#[cfg(test)]
mod key_tests;
mod key_url;
mod seconds;
mod setup;
mod subscription;
mod tenant;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod testing_keys;
mod verifier;
#[cfg(test)]
mod verifier_tests;

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::{HeaderMap, Uri, header};

pub use args::{AuthArgs, InvalidAuthArgs};
pub use error::{Reason, TokenError};
pub use jwk::NoKeySet;
pub use key::KeyError;
pub use key_url::KeyUrlError;
pub use service::{Pattern, Secret};
pub use setup::SetupError;
pub use subscription::SubscriptionToken;
pub use verifier::Verifier;

use crate::identity::Identity;

/// Lets clients in.
#[derive(Debug)]
pub struct Access {
    /// Verifies tokens, if there are keys.
    pub verifier: Option<Verifier>,
    /// Whether clients without a token may do everything (`--insecure`).
    pub insecure: bool,
    /// Whether clients without a token are let in although there are keys.
    pub allow_anonymous: bool,
}

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It shows no token. HTTP 401; Centrifugo: close 3501.
    #[error("a token is needed here")]
    TokenRequired,
    /// A new token will do. HTTP 401; Centrifugo: error 109.
    #[error("{}", TokenError::Expired)]
    Expired,
    /// The token is good, but not any longer for a connection. HTTP 401; Centrifugo: error 110.
    #[error("{}", TokenError::Ended)]
    Ended,
    /// Nobody can say now. HTTP 503; Centrifugo: error 100, which is temporary.
    #[error("{}", TokenError::Unavailable)]
    Unavailable,
    /// This token will never do. HTTP 401; Centrifugo: close 3500.
    #[error("the token is not valid: {0}")]
    Invalid(Reason),
}

impl From<TokenError> for Denied {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::Expired,
            TokenError::Ended => Self::Ended,
            TokenError::Unavailable => Self::Unavailable,
            TokenError::Invalid(reason) => Self::Invalid(reason),
        }
    }
}

impl Access {
    /// Reads the keys of the settings; `insecure` is the setting of that name.
    pub fn new(args: &AuthArgs, insecure: bool) -> Result<Self, SetupError> {
        Ok(Self {
            verifier: Verifier::new(args)?,
            insecure,
            allow_anonymous: args.allow_anonymous,
        })
    }

    /// Whether clients show who they are. If not, only this machine may reach the server, unless `--insecure`.
    pub fn is_configured(&self) -> bool {
        self.verifier.is_some()
    }

    /// Whether the server may listen on addresses that other machines reach.
    pub fn may_be_exposed(&self) -> bool {
        self.insecure || self.is_configured()
    }

    /// Whether nobody is let in without a token.
    pub const fn needs_token(&self) -> bool {
        self.verifier.is_some() && !self.insecure && !self.allow_anonymous
    }

    /// Judges the token that a client shows; an empty one is none.
    pub async fn admit(&self, token: Option<&str>) -> Result<Arc<Identity>, Denied> {
        let token = token.filter(|token| !token.is_empty());
        match (token, &self.verifier) {
            (Some(token), Some(verifier)) => Ok(verifier.connection(token).await?),
            (Some(_), None) => Err(Denied::Invalid(Reason::NoKeys)),
            (None, _) if self.insecure => Ok(Identity::unlimited()),
            (None, None) => Ok(Identity::anonymous()),
            (None, Some(_)) if self.allow_anonymous => Ok(Identity::anonymous()),
            (None, Some(_)) => Err(Denied::TokenRequired),
        }
    }

    /// Reads the token that a client shows for one channel.
    pub async fn subscription(&self, token: &str) -> Result<SubscriptionToken, TokenError> {
        match &self.verifier {
            Some(verifier) => verifier.subscription(token).await,
            None => Err(Reason::NoKeys.into()),
        }
    }
}

/// The token in `Authorization: Bearer …`; none if there are several such headers.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else {
        return None;
    };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim())
}

/// The token in `?token=…`, for browsers, which can't set headers of a WebSocket.
pub fn query_token(uri: &Uri) -> Option<Cow<'_, str>> {
    form_urlencoded::parse(uri.query()?.as_bytes())
        .find(|(name, _)| name == "token")
        .map(|(_, token)| token)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, Uri, header};
    use serde_json::json;

    use super::testing::{SECRET, args, sign};
    use super::{Access, Denied, Reason, bearer, query_token};

    fn access(settings: &[&str], insecure: bool) -> Access {
        Access::new(&args(settings), insecure).unwrap()
    }

    #[tokio::test]
    async fn without_keys_everybody_is_anonymous() {
        let access = access(&[], false);
        assert!(!access.is_configured() && !access.may_be_exposed());
        for none in [None, Some("")] {
            let identity = access.admit(none).await.unwrap();
            assert!(identity.is_anonymous() && !identity.may_subscribe("news:a"));
        }
        let token = sign(&json!({"sub": "alice"}));
        let denied = access.admit(Some(&token)).await.unwrap_err();
        assert_eq!(denied, Denied::Invalid(Reason::NoKeys));
        assert!(access.subscription(&token).await.is_err());
    }

    #[tokio::test]
    async fn with_keys_a_token_is_needed() {
        let secret = ["--token-hmac-secret", SECRET];
        let strict = access(&secret, false);
        assert!(strict.is_configured() && strict.may_be_exposed() && strict.needs_token());
        for none in [None, Some("")] {
            assert_eq!(strict.admit(none).await.unwrap_err(), Denied::TokenRequired);
        }
        let token = sign(&json!({"sub": "alice"}));
        assert_eq!(strict.admit(Some(&token)).await.unwrap().user, "alice");

        let open = access(&[secret[0], secret[1], "--allow-anonymous"], false);
        assert!(open.admit(None).await.unwrap().is_anonymous() && !open.needs_token());
        // A bad token is no missing one.
        assert!(open.admit(Some("x")).await.is_err());
    }

    #[tokio::test]
    async fn insecure_lets_in_without_a_token_and_still_verifies_one() {
        let access = access(&["--token-hmac-secret", SECRET], true);
        assert!(access.may_be_exposed());
        assert!(access.admit(None).await.unwrap().may_publish("news:a"));
        let token = sign(&json!({"sub": "alice", "exp": 1}));
        let denied = access.admit(Some(&token)).await.unwrap_err();
        assert_eq!(denied, Denied::Expired);
    }

    #[test]
    fn a_bearer_token_stands_alone() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(read(&["Bearer a.b.c"]).as_deref(), Some("a.b.c"));
        assert_eq!(read(&["bearer  a.b.c "]).as_deref(), Some("a.b.c"));
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["Basic YTpi"]), None);
        assert_eq!(read(&["a.b.c"]), None);
        assert_eq!(read(&["Bearer a", "Bearer b"]), None);
    }

    #[test]
    fn a_query_holds_a_token() {
        let read = |text: &'static str| {
            let uri = Uri::from_static(text);
            query_token(&uri).map(std::borrow::Cow::into_owned)
        };
        assert_eq!(read("/ws?token=a.b.c").as_deref(), Some("a.b.c"));
        assert_eq!(read("/?x=1&token=a%2Eb").as_deref(), Some("a.b"));
        assert_eq!(read("/?token=").as_deref(), Some(""));
        assert_eq!(read("/ws"), None);
        assert_eq!(read("/ws?xtoken=a&Token=b"), None);
    }
}
