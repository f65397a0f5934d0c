//! Times in a histogram: as exact for the rare long ones as for the many short ones, however many there are.

use std::{fmt, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longer times are counted as this.
const LONGEST: Duration = Duration::from_secs(120);

/// Times as they are measured.
#[derive(Clone, Debug)]
pub struct Times {
    nanoseconds: Histogram<u64>,
}

impl Default for Times {
    fn default() -> Self {
        let longest = u64::try_from(LONGEST.as_nanos()).unwrap_or(u64::MAX);
        let nanoseconds = Histogram::new_with_bounds(1, longest, 3);
        Self {
            nanoseconds: nanoseconds
                .expect("the bounds are in order, and three digits are allowed"),
        }
    }
}

impl Times {
    /// One more.
    pub fn add(&mut self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.saturating_record(nanoseconds);
    }

    /// What they come to.
    pub fn latency(&self) -> Latency {
        let ms = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        let at = |share| ms(self.nanoseconds.value_at_quantile(share));
        Latency {
            samples: self.nanoseconds.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: ms(self.nanoseconds.max()),
        }
    }
}

/// A set of times by its shares, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// How many there are.
    pub samples: u64,
    /// Half of them are at most this.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// All but one in a hundred.
    pub p99: f64,
    /// All but one in a thousand.
    pub p999: f64,
    /// All.
    pub max: f64,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            samples,
            p50,
            p90,
            p99,
            p999,
            max,
        } = self;
        write!(
            f,
            "p50 {p50:.3}, p90 {p90:.3}, p99 {p99:.3}, p99.9 {p999:.3}, max {max:.3} ms ({samples} samples)"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LONGEST, Times};

    #[test]
    fn shares_are_found_to_three_digits() {
        let mut times = Times::default();
        for ms in 1..=1_000 {
            times.add(Duration::from_millis(ms));
        }
        let latency = times.latency();
        assert_eq!(latency.samples, 1_000);
        let found = [
            latency.p50,
            latency.p90,
            latency.p99,
            latency.p999,
            latency.max,
        ];
        for (found, ms) in found.into_iter().zip([500.0, 900.0, 990.0, 999.0, 1_000.0]) {
            assert!((found - ms).abs() <= ms / 1_000.0, "{found} for {ms}");
        }
    }

    #[test]
    fn a_time_that_is_too_long_counts_as_the_longest() {
        let mut times = Times::default();
        times.add(LONGEST * 2);
        assert!(times.latency().max >= LONGEST.as_secs_f64() * 1_000.0);
        assert_eq!(times.latency().samples, 1);
    }
}
