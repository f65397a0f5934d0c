//! How fast a queue moves, in jobs a second.

use std::time::Duration;

use broker::Totals;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Rates {
    pub(crate) enqueued: f64,
    pub(crate) completed: f64,
    pub(crate) failed: f64,
    pub(crate) retried: f64,
}

impl Rates {
    /// From two looks at what happened so far. Totals that fell, because Redis was wiped, are a rate of 0.
    pub(crate) fn between(before: &Totals, now: &Totals, time: Duration) -> Self {
        let secs = time.as_secs_f64().max(0.001);
        let rate = |before: u64, now: u64| {
            // One digit after the point.
            (now.saturating_sub(before) as f64 / secs * 10.0).round() / 10.0
        };
        Self {
            enqueued: rate(before.enqueued, now.enqueued),
            completed: rate(before.completed, now.completed),
            failed: rate(before.failed, now.failed),
            retried: rate(before.retried, now.retried),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use broker::Totals;

    use super::Rates;

    #[test]
    fn rates_are_per_second() {
        let before = Totals {
            enqueued: 10,
            completed: 7,
            failed: 1,
            ..Totals::default()
        };
        let now = Totals {
            enqueued: 15,
            completed: 10,
            failed: 0,
            ..before
        };
        let rates = Rates::between(&before, &now, Duration::from_secs(2));
        assert_eq!(
            rates,
            Rates {
                enqueued: 2.5,
                completed: 1.5,
                failed: 0.0,
                retried: 0.0
            }
        );
        assert!(
            Rates::between(&before, &now, Duration::ZERO)
                .enqueued
                .is_finite()
        );
    }
}
