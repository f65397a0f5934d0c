//! How long to wait between tries to reach Redis.

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

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
}
