//! Whether a worker looks for jobs with its next round, and how long it believes that there are none.

use std::time::{Duration, Instant};

use rand::RngExt as _;

/// How long an idle worker waits at most before it looks again: a wake-up that its receiver took to the grave is
/// made good after this long.
pub(crate) const IDLE: Duration = Duration::from_millis(2_500);

pub(crate) struct Search {
    /// Whether there may be something to take.
    pub(crate) look: bool,
    /// A token that woke this worker goes on to another with the next round, if this one takes nothing.
    pub(crate) has_token: bool,
    /// Whether the last look found all that it could take.
    pub(crate) is_deep: bool,
    /// How long to believe that there is nothing.
    rest: Duration,
    /// When it looked last.
    looked: Instant,
}

impl Search {
    /// Nobody has looked yet.
    pub(crate) fn new() -> Self {
        Self {
            look: true,
            has_token: false,
            is_deep: false,
            rest: IDLE,
            looked: Instant::now(),
        }
    }

    pub(crate) const fn rest(&self) -> Duration {
        self.rest
    }

    /// Whether the last look is too long ago.
    pub(crate) fn is_late(&self) -> bool {
        self.looked.elapsed() >= self.rest
    }

    /// A token came.
    pub(crate) const fn wake(&mut self) {
        (self.look, self.has_token) = (true, true);
    }

    /// A round goes, which takes up to so many.
    pub(crate) fn depart(&mut self, want: usize) {
        if want > 0 {
            self.looked = Instant::now();
        }
        (self.look, self.has_token) = (false, false);
    }

    /// It is back with so many, and says in how many milliseconds something falls due.
    pub(crate) fn land(&mut self, want: usize, found: usize, due_ms: Option<u64>) {
        if want == 0 {
            return;
        }
        self.is_deep = found == want;
        self.look |= self.is_deep;
        let due = due_ms.map_or(IDLE, |due| IDLE.min(Duration::from_millis(due + 1)));
        // Idle workers should not look in step.
        self.rest = due.mul_f64(rand::rng().random_range(1.0..=1.1));
    }
}
