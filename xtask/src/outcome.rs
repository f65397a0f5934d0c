//! How a run of the tests ended: the last line that it prints, and its exit code.
//!
//! A run that could not take place is neither a success nor a failure, and is never taken for either.

use std::fmt;
use std::process::ExitCode;

use crate::counts::Counts;
use crate::say;
use crate::server::Missing;

/// What test runners take for `skipped`, since Automake.
pub(crate) const SKIPPED_CODE: u8 = 77;

/// How a run of the tests ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Tests were counted.
    Counted(Counts),
    /// The wanted server can't be had here, so no test ran; why, in one sentence.
    Skipped(String),
}

impl Outcome {
    /// What keeps tests from running counts as a failure, so that a count comes out; a server that can't be had does
    /// not.
    pub(crate) fn of(result: anyhow::Result<Counts>) -> Self {
        let error = match result {
            Ok(counts) => return Self::Counted(counts),
            Err(error) => error,
        };
        if let Some(missing) = error.downcast_ref::<Missing>() {
            return Self::Skipped(missing.to_string());
        }
        say::error(&format!("{error:#}"));
        Self::Counted(Counts {
            passed: 0,
            failed: 1,
        })
    }

    /// True when tests ran and none failed.
    pub(crate) fn is_success(&self) -> bool {
        matches!(self, Self::Counted(counts) if counts.is_success())
    }

    /// Prints the last line, and gives the exit code.
    pub(crate) fn close(&self) -> ExitCode {
        say::line(self);
        self.code().into()
    }

    fn code(&self) -> u8 {
        match self {
            Self::Counted(counts) if counts.is_success() => 0,
            Self::Counted(_) => 1,
            Self::Skipped(_) => SKIPPED_CODE,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counted(counts) => counts.fmt(f),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    fn counted(passed: u64, failed: u64) -> Outcome {
        Outcome::Counted(Counts { passed, failed })
    }

    #[test]
    fn each_has_a_line_and_a_code() {
        for (outcome, line, code) in [
            (counted(5, 0), "5 passed, 0 failed", 0),
            (counted(5, 1), "5 passed, 1 failed", 1),
            (counted(0, 0), "0 passed, 0 failed", 1),
            (Outcome::Skipped("no pip".into()), "skipped: no pip", 77),
        ] {
            assert_eq!(outcome.to_string(), line);
            assert_eq!(outcome.code(), code, "{line}");
            assert_eq!(outcome.is_success(), code == 0, "{line}");
        }
    }

    #[test]
    fn only_a_missing_server_skips() {
        let missing = || anyhow!(Missing("no pip".to_owned()));
        let skipped = Outcome::Skipped("no pip".to_owned());
        assert_eq!(Outcome::of(Err(missing())), skipped);
        assert_eq!(Outcome::of(Err(missing()).context("server")), skipped);
        assert_eq!(Outcome::of(Err(anyhow!("no space left"))), counted(0, 1));
    }
}
