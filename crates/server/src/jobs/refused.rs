//! Why a job verb is refused, whoever asked in whatever protocol.

use broker::SubmitError;
use protocol::{ErrorCode, InvalidJob};

/// Why a verb is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The token does not allow it.
    #[error("permission denied")]
    Denied,
    /// It can't be done.
    #[error("{1}")]
    Job(ErrorCode, String),
    /// Not now.
    #[error("the queue is full: try again in {0} ms")]
    Full(u64),
}

impl Refused {
    /// There is none, or it is not theirs.
    pub(super) fn not_found() -> Self {
        Self::Job(ErrorCode::NotFound, "there is no such job".to_owned())
    }

    /// The code that a client sees.
    pub(crate) const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Denied => None,
            Self::Job(code, _) => Some(*code),
            Self::Full(_) => Some(ErrorCode::QueueFull),
        }
    }
}

impl From<InvalidJob> for Refused {
    fn from(error: InvalidJob) -> Self {
        Self::Job(error.code(), error.to_string())
    }
}

impl From<SubmitError> for Refused {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::QueueFull { retry_after } => {
                Self::Full(u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX))
            }
            error => Self::Job(error.code(), error.to_string()),
        }
    }
}

impl From<broker::Error> for Refused {
    fn from(error: broker::Error) -> Self {
        tracing::debug!(%error, "a verb found no Redis");
        Self::Job(
            ErrorCode::Unavailable,
            "Redis is away: try again later".to_owned(),
        )
    }
}
