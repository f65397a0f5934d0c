//! When messages are sent: as many as a window lets, or at fixed times.

use std::time::{Duration, Instant};

/// What decides when the next message is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// A closed loop: so many are on their way, of each sender where there are several, and the next is sent when one
    /// is back.
    Window(usize),
    /// An open loop: so many in a second, all senders together, whatever becomes of them.
    Rate(f64),
    /// So many in a second, but none while a number of them is on its way. Those that have to wait are due all the
    /// same.
    Metered {
        /// How many in a second.
        per_second: f64,
        /// How many may be on their way, of all senders together.
        window: usize,
    },
}

impl Pace {
    /// The pace that a window, a rate or both make.
    pub fn of(window: Option<usize>, rate: Option<f64>, default: usize) -> Self {
        match (window, rate) {
            (window, None) => Self::Window(window.unwrap_or(default)),
            (None, Some(rate)) => Self::Rate(rate),
            (Some(window), Some(per_second)) => Self::Metered { per_second, window },
        }
    }

    /// The times that it sets, if it sets any.
    pub(crate) fn schedule(self, start: Instant) -> Option<Schedule> {
        match self {
            Self::Window(_) => None,
            Self::Rate(per_second) | Self::Metered { per_second, .. } => {
                Some(Schedule::new(start, per_second))
            }
        }
    }

    /// How many may be on their way.
    pub(crate) const fn window(self) -> usize {
        match self {
            Self::Window(window) | Self::Metered { window, .. } => window,
            Self::Rate(_) => usize::MAX,
        }
    }
}

/// The times at which messages are due. A message that is sent late was still due when it was due, and its time counts
/// from then: a system that stalls can't hide the messages that it kept from being sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    start: Instant,
    per_second: f64,
    next: u64,
}

impl Schedule {
    pub(crate) const fn new(start: Instant, per_second: f64) -> Self {
        Self {
            start,
            per_second,
            next: 0,
        }
    }

    /// When the next one is due.
    pub(crate) fn due(&self) -> Instant {
        self.start + Duration::from_secs_f64(self.next as f64 / self.per_second)
    }

    /// The next one that is due now: which it is, and since when.
    pub(crate) fn take(&mut self, now: Instant) -> Option<(u64, Instant)> {
        let due = self.due();
        if due > now {
            return None;
        }
        self.next += 1;
        Some((self.next - 1, due))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::Times;
    use super::Schedule;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_is_due_at_its_time() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, 4.0);
        assert_eq!(schedule.take(start), Some((0, start)));
        assert_eq!(schedule.take(start), None);
        assert_eq!(schedule.due(), start + SECOND / 4);
        assert_eq!(
            schedule.take(start + SECOND / 4),
            Some((1, start + SECOND / 4))
        );
    }

    #[test]
    fn those_that_a_stall_kept_back_count_from_when_they_were_due() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, 100.0);
        let (mut corrected, mut naive) = (Times::default(), Times::default());
        // An answer takes nothing, but for a second in which nobody could send.
        for tick in 0..100 {
            let now = start + 2 * SECOND + tick * SECOND / 100;
            while let Some((_, due)) = schedule.take(now) {
                corrected.add(now - due);
                naive.add(Duration::ZERO);
            }
        }
        let (corrected, naive) = (corrected.latency(), naive.latency());
        assert_eq!(corrected.samples, 300);
        // A third of them waited for a second on average; whoever counts from the sending sees nothing of it.
        assert!(
            corrected.p90 > 1_000.0 && corrected.max > 1_990.0,
            "{corrected}"
        );
        assert!(naive.p99 < 1.0, "{naive}");
    }
}
