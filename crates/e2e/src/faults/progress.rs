//! What a person sees of a run: a bar on a terminal, a line now and then elsewhere, and the table in the end.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use super::{book::Progress, report::Report, schedule::Fault};

/// How wide the bar is, in characters.
const WIDTH: usize = 30;
/// How often a line is printed where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);

/// Prints one line. A reader that has gone away is no reason to fail.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Shows how far a run is.
#[derive(Debug)]
pub struct Bar {
    total: u64,
    start: Instant,
    last: Option<Instant>,
    terminal: bool,
}

impl Bar {
    /// A bar for so many jobs.
    pub fn new(total: u64) -> Self {
        Self {
            total,
            start: Instant::now(),
            last: None,
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Whether it is time to show where the run is.
    pub fn is_due(&self) -> bool {
        let pause = if self.terminal {
            Duration::from_millis(200)
        } else {
            PAUSE
        };
        self.last.is_none_or(|last| last.elapsed() >= pause)
    }

    /// Shows where the run is.
    pub fn show(&mut self, progress: Progress, doing: &str) {
        self.last = Some(Instant::now());
        let Progress { accepted, over } = progress;
        let seconds = self.start.elapsed().as_secs();
        let line = format!("{seconds:>4} s  {accepted} accepted, {over} over  {doing}");
        let mut stderr = std::io::stderr().lock();
        let _ = if self.terminal {
            let bar = bar(over as u64, self.total);
            write!(stderr, "\r\x1b[K[{bar}] {line}").and_then(|()| stderr.flush())
        } else {
            writeln!(stderr, "{line}")
        };
    }

    /// Takes the bar away.
    pub fn close(&self) {
        if self.terminal {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

fn bar(done: u64, total: u64) -> String {
    let full = usize::try_from(done.min(total) * WIDTH as u64 / total.max(1)).unwrap_or(WIDTH);
    format!("{}{}", "#".repeat(full), ".".repeat(WIDTH - full))
}

/// Prints a schedule.
pub fn print_schedule(seed: u64, schedule: &[Fault]) {
    say(&format!("seed {seed}: {} faults", schedule.len()));
    for fault in schedule {
        let Fault {
            at_ms,
            kind,
            target,
            lasts_ms,
        } = fault;
        let lasts = if *lasts_ms > 0 {
            format!("for {:.1} s", *lasts_ms as f64 / 1000.0)
        } else {
            String::new()
        };
        let at = *at_ms as f64 / 1000.0;
        say(&format!(
            "{at:>8.1} s  {kind:<13} {:<10} {lasts}",
            target.to_string()
        ));
    }
}

/// Prints the table of a report, and what is wrong.
pub fn print_report(report: &Report) {
    let width = report.checks.iter().map(|check| check.name.len()).max();
    let width = width.unwrap_or(0);
    for check in &report.checks {
        let mark = match check.pass {
            Some(true) => "PASS",
            Some(false) => "FAIL",
            None => "    ",
        };
        say(&format!("{mark}  {:<width$}  {}", check.name, check.found));
    }
    let verdict = &report.verdict;
    for (name, wrongs) in [
        ("lost", &verdict.lost),
        ("stale", &verdict.stale),
        ("unannounced", &verdict.unannounced),
        ("missing", &verdict.missing),
        ("doubled", &verdict.doubled),
        ("disordered", &verdict.disordered),
        ("silent", &verdict.silent),
    ] {
        for wrong in wrongs.iter().take(10) {
            say(&format!(
                "{name}: {}: {} (at {})",
                wrong.what, wrong.why, wrong.at
            ));
        }
    }
    for fault in report.faults.iter().filter(|fault| !fault.well) {
        say(&format!("did not go well: {fault:?}"));
    }
    for collapse in &report.collapses {
        say(&format!(
            "{} ended by itself, {}; it logged last:\n{}",
            collapse.target, collapse.status, collapse.log
        ));
    }
    let verdict = if report.pass { "PASS" } else { "FAIL" };
    say(&format!("seed {}: {verdict}", report.seed));
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, bar};

    #[test]
    fn a_bar_is_as_wide_as_it_is() {
        for done in [0, 1, 50, 100, 120] {
            assert_eq!(bar(done, 100).len(), WIDTH);
        }
        assert!(bar(100, 100).ends_with('#') && bar(0, 0).ends_with('.'));
    }
}
