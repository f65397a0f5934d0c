//! Waiting times: between tries to reach Redis, and between the attempts of a job.

use std::time::Duration;

use rand::RngExt as _;

/// Growing pauses with jitter, so that many processes do not come back to Redis in step.
#[derive(Clone, Debug)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    tries: u32,
}

impl Default for Backoff {
    /// From 50 ms to 2 s: Redis is asked again within 2 s of its return.
    fn default() -> Self {
        Self {
            least: Duration::from_millis(50),
            most: Duration::from_secs(2),
            tries: 0,
        }
    }
}

impl Backoff {
    /// The next pause: between half of the current step and all of it.
    pub fn pause(&mut self) -> Duration {
        let step = self
            .least
            .saturating_mul(1 << self.tries.min(16))
            .min(self.most);
        self.tries = self.tries.saturating_add(1);
        step.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// How many pauses were taken since the last success.
    pub const fn tries(&self) -> u32 {
        self.tries
    }

    /// Starts over after a success.
    pub const fn reset(&mut self) {
        self.tries = 0;
    }
}

/// How long to wait before an attempt after `attempt` failed ones: 1 s, doubled each time, at most five minutes,
/// with ±20% of jitter so that jobs that failed together do not come back together.
pub fn retry_delay(attempt: u32) -> Duration {
    let step =
        Duration::from_secs(1 << attempt.saturating_sub(1).min(16)).min(Duration::from_secs(300));
    step.mul_f64(rand::rng().random_range(0.8..=1.2))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, retry_delay};

    #[test]
    fn pauses_grow_to_the_limit_and_start_over() {
        let mut backoff = Backoff::default();
        assert!(backoff.pause() <= Duration::from_millis(50));
        for _ in 0..40 {
            assert!(backoff.pause() <= Duration::from_secs(2));
        }
        assert!(backoff.pause() >= Duration::from_secs(1));
        backoff.reset();
        assert!(backoff.pause() <= Duration::from_millis(50));
    }

    #[test]
    fn attempts_wait_longer_each_time() {
        for (attempt, least, most) in [(1, 800, 1_200), (3, 3_200, 4_800), (40, 240_000, 360_000)] {
            let delay = retry_delay(attempt);
            assert!(delay >= Duration::from_millis(least) && delay <= Duration::from_millis(most));
        }
    }
}
