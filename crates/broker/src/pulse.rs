//! Whether a worker's claim loop still turns.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The last time at which a loop moved. Clones share it.
#[derive(Clone, Debug)]
pub struct Pulse {
    start: Instant,
    moved: Arc<AtomicU64>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            moved: Arc::default(),
        }
    }
}

impl Pulse {
    /// The longest that a healthy loop stands still: it ticks several times in this.
    pub const LIMIT: Duration = Duration::from_secs(10);

    pub(crate) fn beat(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(now, Ordering::Relaxed);
    }

    /// For how long the loop has not moved.
    pub fn still(&self) -> Duration {
        let moved = Duration::from_millis(self.moved.load(Ordering::Relaxed));
        self.start.elapsed().saturating_sub(moved)
    }

    /// Whether the loop moved within [`Self::LIMIT`].
    pub fn beats(&self) -> bool {
        self.still() < Self::LIMIT
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, atomic::AtomicU64},
        time::{Duration, Instant},
    };

    use super::Pulse;

    #[test]
    fn a_loop_that_stands_still_is_noticed() {
        let pulse = Pulse {
            start: Instant::now().checked_sub(Duration::from_secs(60)).unwrap(),
            moved: Arc::new(AtomicU64::new(1)),
        };
        assert!(!pulse.beats());
        pulse.beat();
        assert!(pulse.beats());
    }
}
