//! How an attempt ended, and what that makes of the job.

use std::time::Duration;

use apalis_core::error::{AbortError, BoxDynError, RetryAfterError};
use protocol::{Failure, FailureCode, limits::MAX_RESULT_BYTES};
use serde_json::value::RawValue;

/// What a handler returns: its result as JSON, at most [`MAX_RESULT_BYTES`] bytes.
#[derive(Debug, Clone)]
pub struct Output(pub Box<RawValue>);

/// Why an attempt failed, and whether another makes sense.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{failure}")]
pub struct JobError {
    failure: Failure,
    retry: Retry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    Never,
    Backoff,
    After(Duration),
}

impl JobError {
    /// Another attempt will be made after a growing pause, while there are any left.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::with_code(FailureCode::Error, message)
    }

    /// Like [`JobError::retry`], with a pause of the handler's choice.
    pub fn retry_after(message: impl Into<String>, pause: Duration) -> Self {
        Self {
            failure: Failure::new(FailureCode::Error, message),
            retry: Retry::After(pause),
        }
    }

    /// The job fails at once: another attempt would end the same.
    pub fn fatal(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            failure: Failure::new(code, message),
            retry: Retry::Never,
        }
    }

    /// Another attempt will be made, and the failure has a class of its own.
    pub fn with_code(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            failure: Failure::new(code, message),
            retry: Retry::Backoff,
        }
    }

    /// The same with where in the program it happened, which operators see and clients don't.
    #[must_use]
    pub fn at(self, backtrace: impl Into<String>) -> Self {
        Self {
            failure: self.failure.at(backtrace),
            ..self
        }
    }

    /// What is kept with the job.
    pub const fn failure(&self) -> &Failure {
        &self.failure
    }

    /// Whether another attempt may be made, if there are any left.
    pub fn is_retryable(&self) -> bool {
        self.retry != Retry::Never
    }
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Complete(Box<RawValue>),
    Retry(Failure, Duration),
    Fail(Failure),
    HandBack,
    /// It ended because its cancellation was asked for.
    Cancel,
}

impl Outcome {
    /// What a handler's result makes of the job; `pause` is how long it rests by its own policy.
    pub(crate) fn of(
        result: Result<Output, BoxDynError>,
        pause: impl FnOnce() -> Duration,
    ) -> Self {
        match result {
            Ok(Output(value)) if value.get().len() > MAX_RESULT_BYTES => {
                let message = format!(
                    "the result has {} bytes, at most {MAX_RESULT_BYTES} are kept",
                    value.get().len()
                );
                Self::Fail(Failure::new(FailureCode::ResultTooLarge, message))
            }
            Ok(Output(value)) => Self::Complete(value),
            Err(error) => Self::of_error(&error, pause),
        }
    }

    fn of_error(error: &BoxDynError, pause: impl FnOnce() -> Duration) -> Self {
        if let Some(JobError { failure, retry }) = error.downcast_ref() {
            return match retry {
                Retry::Never => Self::Fail(failure.clone()),
                Retry::Backoff => Self::Retry(failure.clone(), pause()),
                Retry::After(pause) => Self::Retry(failure.clone(), *pause),
            };
        }
        let failure = Failure::new(FailureCode::Error, error.to_string());
        if error.is::<AbortError>() {
            Self::Fail(failure)
        } else if let Some(retry) = error.downcast_ref::<RetryAfterError>() {
            Self::Retry(failure, retry.get_duration())
        } else {
            Self::Retry(failure, pause())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use apalis_core::error::{AbortError, RetryAfterError};
    use protocol::{FailureCode, limits::MAX_RESULT_BYTES};
    use serde_json::value::RawValue;

    use super::{JobError, Outcome, Output};

    #[test]
    fn errors_say_whether_to_try_again() {
        let policy = || Duration::from_millis(9);
        let fatal = JobError::fatal(FailureCode::UnknownKind, "no handler");
        assert!(
            matches!(Outcome::of(Err(fatal.into()), policy), Outcome::Fail(f) if f.code == FailureCode::UnknownKind)
        );
        let pause = Duration::from_millis(7);
        let later = JobError::retry_after("busy", pause);
        assert!(
            matches!(Outcome::of(Err(later.into()), policy), Outcome::Retry(_, p) if p == pause)
        );
        assert!(
            matches!(Outcome::of(Err("x".into()), policy), Outcome::Retry(f, p) if f.message == "x" && p == policy())
        );
        assert!(matches!(
            Outcome::of(Err(AbortError::new("x").into()), policy),
            Outcome::Fail(_)
        ));
        let later = RetryAfterError::new("x", pause);
        assert!(
            matches!(Outcome::of(Err(later.into()), policy), Outcome::Retry(_, p) if p == pause)
        );
    }

    #[test]
    fn a_result_over_the_limit_fails_the_job() {
        let text = format!("\"{}\"", "x".repeat(MAX_RESULT_BYTES));
        let output = Output(RawValue::from_string(text).unwrap());
        assert!(
            matches!(Outcome::of(Ok(output), Duration::default), Outcome::Fail(f) if f.code == FailureCode::ResultTooLarge)
        );
    }
}
