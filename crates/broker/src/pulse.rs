//! Whether a worker's claim loops still turn.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The last time at which a loop moved. Clones share it. A worker whose queue is split has a loop for each partition: of
/// those that are there, the one that stands still longest counts.
#[derive(Clone, Debug)]
pub struct Pulse {
    start: Instant,
    moved: Arc<AtomicU64>,
    others: Arc<Mutex<Vec<Weak<AtomicU64>>>>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            moved: Arc::default(),
            others: Arc::default(),
        }
    }
}

impl Pulse {
    /// The longest that a healthy loop stands still: it ticks several times in this.
    pub const LIMIT: Duration = Duration::from_secs(10);

    /// That of a further loop, until it is dropped.
    pub(crate) fn beside(&self) -> Self {
        let pulse = Self {
            moved: Arc::default(),
            ..self.clone()
        };
        pulse.beat();
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.push(Arc::downgrade(&pulse.moved));
        drop(others);
        pulse
    }

    pub(crate) fn beat(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(now, Ordering::Relaxed);
    }

    /// For how long the loop has not moved, or one beside it.
    pub fn still(&self) -> Duration {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let others = others.iter().filter_map(Weak::upgrade);
        let first = self.moved.load(Ordering::Relaxed);
        let moved = others.fold(first, |moved, other| {
            moved.min(other.load(Ordering::Relaxed))
        });
        let moved = Duration::from_millis(moved);
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
        sync::atomic::Ordering,
        time::{Duration, Instant},
    };

    use super::Pulse;

    #[test]
    fn a_loop_that_stands_still_is_noticed() {
        let pulse = Pulse {
            start: Instant::now().checked_sub(Duration::from_secs(60)).unwrap(),
            ..Pulse::default()
        };
        assert!(!pulse.beats());
        pulse.beat();
        assert!(pulse.beats());

        let other = pulse.beside();
        assert!(pulse.beats());
        other.moved.store(1, Ordering::Relaxed);
        assert!(!pulse.beats());
        drop(other);
        assert!(pulse.beats());
    }
}
