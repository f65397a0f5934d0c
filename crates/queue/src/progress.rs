//! How far long work is: a bar on standard error, only where it is a terminal, and gone at the end.

use std::time::{Duration, Instant};

use crate::output;

/// How often the bar is drawn at most.
const PAUSE: Duration = Duration::from_millis(100);
const WIDTH: u64 = 24;

/// The bar of one command.
pub(crate) struct Progress {
    shown: bool,
    what: &'static str,
    total: u64,
    began: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    /// A bar of about so many jobs, which the first page may draw.
    pub(crate) fn new(what: &'static str, total: u64) -> Self {
        Self {
            shown: output::has_onlooker(),
            what,
            total,
            began: Instant::now(),
            drawn: None,
        }
    }

    /// So many were gone through.
    pub(crate) fn show(&mut self, gone: u64) {
        let recently = |at: Instant| at.elapsed() < PAUSE;
        if self.shown && !self.drawn.is_some_and(recently) {
            self.drawn = Some(Instant::now());
            output::transient(&bar(self.what, gone, self.total, self.began.elapsed()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            output::transient("");
        }
    }
}

fn bar(what: &str, gone: u64, total: u64, time: Duration) -> String {
    // Jobs may have come meanwhile.
    let total = total.max(gone).max(1);
    let filled = usize::try_from(gone.saturating_mul(WIDTH) / total).unwrap_or(0);
    let rest = usize::try_from(WIDTH).unwrap_or(0).saturating_sub(filled);
    let percent = gone.saturating_mul(100) / total;
    let rate = gone as f64 / time.as_secs_f64().max(0.001);
    format!(
        "{what} [{}{}] {percent:>3}%  {gone} of {total}  {rate:.0}/s",
        "#".repeat(filled),
        "-".repeat(rest)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::bar;

    #[test]
    fn bars_were_reviewed() {
        let bars = [
            (0, 0),
            (0, 1_000),
            (1, 1_000),
            (999, 1_000),
            (1_000, 1_000),
            (7, 5),
        ]
        .map(|(gone, total)| bar("retry", gone, total, Duration::from_secs(2)));
        crate::snapshot::check("progress", &bars.join("\n"));
    }

    #[test]
    fn the_bar_fills() {
        let time = Duration::from_secs(2);
        let half = "retry [############------------]  50%  500 of 1000  250/s";
        assert_eq!(bar("retry", 500, 1_000, time), half);
        // More than was expected, or nothing at all.
        assert!(bar("retry", 7, 5, time).contains("100%  7 of 7"));
        assert!(bar("retry", 0, 0, time).contains("  0%  0 of 1"));
    }
}
