//! How fast load is made: so that all of it is spread evenly over the run, and what was held up is made up for.

use std::time::Duration;

use tokio::time::Instant;

/// A pace.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// When the first is due.
    pub start: Instant,
    /// How long from one to the next.
    pub step: Duration,
}

impl Pace {
    /// So many over so long.
    pub fn of(count: u64, span: Duration) -> Self {
        let step = span.div_f64(count.max(1) as f64);
        Self {
            start: Instant::now(),
            step,
        }
    }

    /// Waits until the one with this number is due, from 0.
    pub async fn due(&self, number: u64) {
        let wait = self.step.mul_f64(number as f64);
        tokio::time::sleep_until(self.start + wait).await;
    }
}
