//! How long a job rests between two attempts.

use serde::{Deserialize, Serialize};

use crate::limits::MAX_DELAY_MS;

/// The pause before another attempt. It is stored with the job, so that it holds on whichever worker fails it.
///
/// A handler may ask for another pause of its own choosing. An attempt whose worker died is made again at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum RetryPolicy {
    /// Doubled with each attempt that failed.
    Exponential {
        /// The first pause, in milliseconds.
        initial_ms: u64,
        /// The longest pause, in milliseconds.
        max_ms: u64,
        /// By which share of itself a pause is made longer or shorter at random, from 0 to 1, so that jobs which
        /// failed together do not come back together.
        jitter: f64,
    },
    /// Always the same.
    Fixed {
        /// The pause, in milliseconds.
        delay_ms: u64,
    },
}

impl Default for RetryPolicy {
    /// 1 s, 2 s, 4 s, … at most five minutes, each ±20%.
    fn default() -> Self {
        Self::Exponential {
            initial_ms: 1_000,
            max_ms: 300_000,
            jitter: 0.2,
        }
    }
}

impl RetryPolicy {
    /// The pause after so many attempts that failed (from 1), in milliseconds. `chance` is a random number from 0
    /// to 1: this crate makes none.
    pub fn delay_ms(&self, failed: u32, chance: f64) -> u64 {
        match *self {
            Self::Fixed { delay_ms } => delay_ms,
            Self::Exponential {
                initial_ms,
                max_ms,
                jitter,
            } => {
                let doublings = failed.saturating_sub(1).min(40);
                let step = initial_ms.saturating_mul(1 << doublings).min(max_ms);
                let factor = 1.0 + jitter * (2.0 * chance - 1.0);
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a step is at most a year and the factor from 0 to 2"
                )]
                let delay = (step as f64 * factor) as u64;
                delay
            }
        }
    }

    /// Whether every number is in its range.
    pub fn is_valid(&self) -> bool {
        match *self {
            Self::Fixed { delay_ms } => delay_ms <= MAX_DELAY_MS,
            Self::Exponential {
                initial_ms,
                max_ms,
                jitter,
            } => initial_ms <= max_ms && max_ms <= MAX_DELAY_MS && (0.0..=1.0).contains(&jitter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RetryPolicy;
    use crate::limits::MAX_DELAY_MS;

    #[test]
    fn the_default_doubles_up_to_five_minutes() {
        let policy = RetryPolicy::default();
        for (failed, least, most) in [(1, 800, 1_200), (3, 3_200, 4_800), (99, 240_000, 360_000)] {
            assert_eq!(policy.delay_ms(failed, 0.0), least);
            assert_eq!(policy.delay_ms(failed, 1.0), most);
        }
    }

    #[test]
    fn a_fixed_pause_is_fixed() {
        let policy = RetryPolicy::Fixed { delay_ms: 70 };
        assert_eq!((policy.delay_ms(1, 0.1), policy.delay_ms(9, 0.9)), (70, 70));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let exponential = |initial_ms, max_ms, jitter| RetryPolicy::Exponential {
            initial_ms,
            max_ms,
            jitter,
        };
        assert!(exponential(0, 0, 0.0).is_valid());
        assert!(!exponential(2, 1, 0.0).is_valid());
        assert!(!exponential(1, 1, 1.1).is_valid());
        assert!(!exponential(1, 1, f64::NAN).is_valid());
        assert!(!exponential(1, MAX_DELAY_MS + 1, 0.0).is_valid());
        assert!(
            !RetryPolicy::Fixed {
                delay_ms: MAX_DELAY_MS + 1
            }
            .is_valid()
        );
    }
}
