//! Why an attempt, or a whole job, did not succeed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{MAX_BACKTRACE_BYTES, MAX_ERROR_BYTES};

/// What went wrong, as kept with the job and told in its `failed` and `retrying` events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The class of the failure, for programs.
    pub code: FailureCode,
    /// What happened, for people. At most [`crate::limits::MAX_ERROR_BYTES`] bytes.
    pub message: String,
    /// Where in the worker's program it happened, for its operators alone: it is no part of what clients are told. At most
    /// [`crate::limits::MAX_BACKTRACE_BYTES`] bytes.
    #[serde(skip)]
    pub backtrace: Option<String>,
}

impl Failure {
    /// A failure whose message is cut to the limit at a character boundary.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: cut(message.into(), MAX_ERROR_BYTES),
            backtrace: None,
        }
    }

    /// The same with where it happened, cut to its limit.
    #[must_use]
    pub fn at(self, backtrace: impl Into<String>) -> Self {
        let backtrace = Some(cut(backtrace.into(), MAX_BACKTRACE_BYTES));
        Self { backtrace, ..self }
    }
}

fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let mut end = most - '…'.len_utf8();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// The class of a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureCode {
    /// The handler returned an error.
    Error,
    /// The handler panicked.
    Panic,
    /// The job's stored fields or its payload can't be decoded.
    Undecodable,
    /// No live worker has a handler for the job's kind.
    UnknownKind,
    /// The result is longer than [`crate::limits::MAX_RESULT_BYTES`].
    ResultTooLarge,
    /// The worker stopped renewing its lease: it died, hung or lost Redis.
    LeaseLost,
    /// The attempt took longer than it may.
    Timeout,
    /// The job's time to live was over before an attempt began.
    Expired,
}

impl FailureCode {
    /// The code as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Undecodable => "undecodable",
            Self::UnknownKind => "unknown_kind",
            Self::ResultTooLarge => "result_too_large",
            Self::LeaseLost => "lease_lost",
            Self::Timeout => "timeout",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, FailureCode};
    use crate::limits::MAX_ERROR_BYTES;

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let failure = Failure::new(FailureCode::Error, "ä".repeat(MAX_ERROR_BYTES));
        assert!(failure.message.len() <= MAX_ERROR_BYTES);
        assert!(failure.message.ends_with("ä…"));
    }

    #[test]
    fn clients_are_not_told_where_it_happened() {
        let failure = Failure::new(FailureCode::Panic, "boom").at("at main.rs:1");
        let json = serde_json::to_string(&failure).unwrap();
        assert_eq!(json, r#"{"code":"panic","message":"boom"}"#);
    }

    #[test]
    fn a_short_message_is_kept() {
        assert_eq!(
            Failure::new(FailureCode::Panic, "boom").to_string(),
            "panic: boom"
        );
    }
}
