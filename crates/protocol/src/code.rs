//! The codes that a client sees when something it asked for can't be done.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a request was refused. A client decides by the code; the sentence beside it is for people.
///
/// The table in `docs/protocol.md` says for each code what a client should do; `cargo xtask tidy` checks that
/// none is missing there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The frame carried no message.
    EmptyMessage,
    /// The message or payload is longer than the limit.
    TooLarge,
    /// A name has a character or a length that names can't have.
    InvalidName,
    /// An option of the job is out of its range.
    InvalidJob,
    /// No such job.
    NotFound,
    /// The job is not in a state in which this can be done, or the idempotency key belongs to another payload.
    Conflict,
    /// The queue, or the tenant's share of it, holds as many waiting jobs as it may.
    QueueFull,
    /// The job could not be stored now: Redis can't be reached, is full, or the server is stopping.
    Unavailable,
}

impl ErrorCode {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::EmptyMessage,
        Self::TooLarge,
        Self::InvalidName,
        Self::InvalidJob,
        Self::NotFound,
        Self::Conflict,
        Self::QueueFull,
        Self::Unavailable,
    ];

    /// The code as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmptyMessage => "empty_message",
            Self::TooLarge => "too_large",
            Self::InvalidName => "invalid_name",
            Self::InvalidJob => "invalid_job",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::QueueFull => "queue_full",
            Self::Unavailable => "unavailable",
        }
    }

    /// Whether the same request may succeed later, unchanged.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::QueueFull | Self::Unavailable)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;

    #[test]
    fn serde_and_as_str_agree() {
        for code in ErrorCode::ALL {
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
        }
    }
}
