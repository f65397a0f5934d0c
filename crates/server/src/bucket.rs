//! How often something may be done: so many times a second, and a burst after a rest.
//!
//! Reads no clock: the time is told to it.

use tokio::time::Instant;

/// Counts what is done against what may be.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f32,
    burst: f32,
    left: f32,
    at: Option<Instant>,
}

impl Bucket {
    /// A full one.
    pub(crate) const fn new(per_second: f32, burst: f32) -> Self {
        Self {
            per_second,
            burst,
            left: burst,
            at: None,
        }
    }

    /// Counts one; says whether it may be done.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.take_all(now, 1.0)
    }

    /// Counts many that are done together, if one may be done; those that come later wait for all of them.
    pub(crate) fn take_all(&mut self, now: Instant, count: f32) -> bool {
        self.rest(now);
        if self.left < 1.0 {
            return false;
        }
        self.left -= count;
        true
    }

    /// Whether it is as if nothing had been done.
    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.rest(now);
        self.left >= self.burst
    }

    /// In how many seconds one may be done.
    pub(crate) fn wait(&self) -> f32 {
        ((1.0 - self.left) / self.per_second).max(0.0)
    }

    fn rest(&mut self, now: Instant) {
        let rested = self
            .at
            .map_or(0.0, |at| now.duration_since(at).as_secs_f32());
        self.at = Some(now);
        self.left = (self.left + rested * self.per_second).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Bucket;

    #[test]
    fn a_burst_may_be_done_and_then_as_much_as_time_allows() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10.0, 3.0);
        let mut done = |ms| bucket.take(start + Duration::from_millis(ms));
        assert!(done(0) && done(0) && done(0) && !done(0));
        assert!(!done(50));
        assert!(done(101) && !done(101));
        assert!(done(60_000) && done(60_000) && done(60_000) && !done(60_000));
    }

    #[test]
    fn what_is_done_together_is_waited_for_later() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10.0, 3.0);
        assert!(bucket.take_all(start, 13.0));
        assert!(!bucket.take(start));
        assert!((bucket.wait() - 1.1).abs() < 0.01, "{}", bucket.wait());
        assert!(!bucket.take(start + Duration::from_millis(1090)));
        assert!(bucket.take(start + Duration::from_millis(1110)));
        assert!(!bucket.is_full(start + Duration::from_millis(1200)));
        assert!(bucket.is_full(start + Duration::from_secs(2)));
    }
}
