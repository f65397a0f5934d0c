//! Counts tests from what the test runners print, while it is passed on.
//!
//! Reads the closing lines of nextest and of cargo's own harness. A runner that fails without naming a failed test
//! (it did not build, it was killed) counts as one failure.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::AddAssign;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::Context;

use crate::workspace::shown;

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed, timed out or could not run.
    pub(crate) failed: u64,
}

impl Counts {
    /// True when something ran and nothing failed.
    pub(crate) fn is_success(self) -> bool {
        self.passed > 0 && self.failed == 0
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Runs a test runner, passes its output on, and counts.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<Counts> {
    run_to(command, std::io::stdout(), std::io::stderr())
}

fn run_to(
    command: &mut Command,
    to_stdout: impl Write,
    to_stderr: impl Write + Send,
) -> anyhow::Result<Counts> {
    let mut process = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not run `{}`", shown(command)))?;
    let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
    let mut counts = thread::scope(|scope| {
        let errors = scope.spawn(|| stderr.map(|from| pass_on(from, to_stderr)));
        let mut counts = stdout
            .map(|from| pass_on(from, to_stdout))
            .unwrap_or_default();
        counts += errors.join().ok().flatten().unwrap_or_default();
        counts
    });
    let status = process.wait().context("lost the test runner")?;
    if !status.success() && counts.failed == 0 {
        counts.failed = 1;
    }
    Ok(counts)
}

fn pass_on(from: impl Read, mut to: impl Write) -> Counts {
    let mut counts = Counts::default();
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let _ = to.write_all(&line);
        let _ = to.flush();
        counts += in_line(&without_colours(&String::from_utf8_lossy(&line)));
        line.clear();
    }
    counts
}

fn in_line(line: &str) -> Counts {
    nextest(line).or_else(|| harness(line)).unwrap_or_default()
}

/// `Summary [ 1.2s] 7/9 tests run: 4 passed (1 slow, 1 flaky), 2 failed, 1 timed out, 3 skipped`
fn nextest(line: &str) -> Option<Counts> {
    let rest = line.trim_start().strip_prefix("Summary [")?;
    let (_, results) = rest.split_once(" run: ")?;
    let mut counts = Counts::default();
    for result in without_parentheses(results).split(',') {
        let Some((number, what)) = result.trim().split_once(' ') else {
            continue;
        };
        let Ok(number) = number.parse::<u64>() else {
            continue;
        };
        match what.trim() {
            "passed" => counts.passed += number,
            "skipped" => {}
            // `failed`, `timed out`, `exec failed`, and whatever else is no success.
            _ => counts.failed += number,
        }
    }
    Some(counts)
}

/// `test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s`
fn harness(line: &str) -> Option<Counts> {
    let (_, results) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |what: &str| {
        let result = results
            .split(';')
            .find_map(|result| result.trim().strip_suffix(what));
        result
            .and_then(|number| number.trim().parse().ok())
            .unwrap_or(0)
    };
    Some(Counts {
        passed: number("passed"),
        failed: number("failed"),
    })
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect()
}

/// The text without ANSI sequences such as `ESC [ 1 m`.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(part.len(), |at| at + 1);
        plain.push_str(&part[end..]);
    }
    plain
}

#[cfg(test)]
mod tests {
    // Not passed on here: whoever counts these tests would count what they print.
    use std::io::sink;

    use super::*;

    fn counts(passed: u64, failed: u64) -> Counts {
        Counts { passed, failed }
    }

    #[test]
    fn nextest_summaries() {
        for (line, expected) in [
            (
                "     Summary [   0.012s] 20 tests run: 20 passed, 0 skipped",
                counts(20, 0),
            ),
            ("Summary [1s] 1 test run: 1 passed, 4 skipped", counts(1, 0)),
            (
                "Summary [ 9.1s] 7/9 tests run: 4 passed (1 slow, 1 flaky), 2 failed, 1 timed out, 3 skipped",
                counts(4, 3),
            ),
            (
                "Summary [ 9.1s] 2 tests run: 0 passed, 1 exec failed, 1 failed, 0 skipped",
                counts(0, 2),
            ),
            (
                "\x1b[32;1m     Summary\x1b[0m [   0.1s] \x1b[1m2\x1b[0m tests run: \x1b[1m2\x1b[0m \x1b[32;1mpassed\x1b[0m, \x1b[1m0\x1b[0m \x1b[33;1mskipped\x1b[0m",
                counts(2, 0),
            ),
        ] {
            assert_eq!(in_line(&without_colours(line)), expected, "{line}");
        }
    }

    #[test]
    fn harness_summaries() {
        let line = "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(in_line(line), counts(3, 1));
        assert_eq!(
            in_line("test hub::closes_the_slow_one ... ok"),
            counts(0, 0)
        );
    }

    #[test]
    fn a_runner_that_fails_without_a_count_is_one_failure() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'error: could not compile' >&2; exit 101"]);
        assert_eq!(run_to(&mut command, sink(), sink()).unwrap(), counts(0, 1));
    }

    #[test]
    fn both_streams_are_counted() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'; echo ' Summary [ 1s] 3 tests run: 3 passed' >&2",
        ]);
        assert_eq!(run_to(&mut command, sink(), sink()).unwrap(), counts(5, 0));
    }

    #[test]
    fn success_needs_a_test() {
        assert!(!counts(0, 0).is_success());
        assert!(!counts(5, 1).is_success());
        assert!(counts(5, 0).is_success());
        assert_eq!(counts(5, 1).to_string(), "5 passed, 1 failed");
    }
}
