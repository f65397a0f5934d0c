//! Why a token is not taken.
//!
//! No error holds the token, a part of it, or a key: a reason is one of a fixed list of sentences, whatever the
//! libraries underneath have to say.

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is signed as it should be, but `exp` has passed, or `nbf` has not come. A new one will do.
    #[error("the token has expired, or is not valid yet")]
    Expired,
    /// It is still good, but what it is for ended at its `expire_at`.
    #[error("the time that the token grants is over")]
    Ended,
    /// Its key can't be had now; the same token may be taken later.
    #[error("the key of the token can't be had now; try again in a few seconds")]
    Unavailable,
    /// It will never be taken.
    #[error("the token is not valid: {0}")]
    Invalid(Reason),
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// It is not even looked at.
    #[error("it is longer than {max} bytes", max = super::verifier::MAX_TOKEN_BYTES)]
    TooLong,
    /// Not three parts in base 64, or its header is not one, or names an algorithm that is not known here.
    #[error("it is no signed JWT, or its algorithm is not known")]
    Malformed,
    /// Its header asks for an extension (`crit`); there is none that is known here.
    #[error("it needs an extension of JWT")]
    Critical,
    /// There are no keys at all.
    #[error("this server has no keys to verify it with")]
    NoKeys,
    /// There is no key for its algorithm.
    #[error("its algorithm is not one of those that this server's keys are for")]
    Algorithm,
    /// The keys that it could be signed with have other names.
    #[error("its key is not known")]
    UnknownKey,
    /// Another key, or another text.
    #[error("its signature is wrong")]
    Signature,
    /// A claim has the wrong type, or is there twice, or an unknown member where none may be.
    #[error("its claims can't be read")]
    Claims,
    /// `aud` is missing or another.
    #[error("it is for another audience")]
    Audience,
    /// `iss` is missing or another.
    #[error("it is from another issuer")]
    Issuer,
    /// The claim is no name, or holds a dot.
    #[error("its tenant is no name without a dot")]
    Tenant,
    /// Subscription tokens don't open connections.
    #[error("it is for one channel, not for a connection")]
    HasChannel,
    /// Connection tokens don't open channels.
    #[error("it is not for a channel")]
    NoChannel,
}

impl From<Reason> for TokenError {
    fn from(reason: Reason) -> Self {
        Self::Invalid(reason)
    }
}
