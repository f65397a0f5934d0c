//! Whether anything can still happen to a job: if Redis holds none for a while, what is not over never will be.

use std::time::{Duration, Instant};

use crate::faults::director::Director;

/// How long Redis must hold no job.
const LONG: Duration = Duration::from_secs(10);
/// How often it is asked.
const PAUSE: Duration = Duration::from_secs(1);

/// Since when Redis holds no job.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    since: Option<Instant>,
    asked: Option<Instant>,
}

impl Quiet {
    /// Asks, if that is due, and says whether it has been quiet for long.
    pub(super) async fn is_over(&mut self, director: &Director<'_>) -> bool {
        if self.asked.is_none_or(|asked| asked.elapsed() >= PAUSE) {
            self.asked = Some(Instant::now());
            if director.under_way().await != Some(0) {
                self.since = None;
            } else if self.since.is_none() {
                self.since = Some(Instant::now());
            }
        }
        self.since.is_some_and(|since| since.elapsed() >= LONG)
    }
}
