//! A set of times, by its shares.

use std::time::Duration;

use serde::Serialize;

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Spread {
    /// How many were measured.
    pub samples: usize,
    /// Half of them are at most this.
    pub p50: f64,
    /// All but one in a hundred are at most this.
    pub p99: f64,
    /// None is more than this.
    pub max: f64,
}

impl Spread {
    /// Sorts times. There must be at least one.
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |permille: usize| {
            let index = (times.len() - 1) * permille / 1000;
            times[index].as_secs_f64() * 1000.0
        };
        Self {
            samples: times.len(),
            p50: at(500),
            p99: at(990),
            max: at(1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Spread;

    #[test]
    fn shares_are_found() {
        let spread = Spread::of((0..=100).rev().map(Duration::from_millis).collect());
        assert_eq!(spread.samples, 101);
        let shares = [spread.p50, spread.p99, spread.max].map(|ms| format!("{ms:.0}"));
        assert_eq!(shares, ["50", "99", "100"]);
    }
}
