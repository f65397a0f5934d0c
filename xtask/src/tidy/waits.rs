//! Tests wait for a condition, never for a time, and none is switched off.
//!
//! A sleep is either too short on a slow machine or too long on every other. The one helper that polls is allowed.

use super::source::Source;
use super::violation::Violation;

/// The file of the helper that waits for a condition.
const HELPER: &str = "until.rs";
const SLEEPS: [&str; 4] = [
    "time::sleep(",
    "thread::sleep(",
    "time::sleep;",
    "thread::sleep;",
];

/// Sleeps in integration tests, and ignored tests anywhere.
pub(crate) fn check(source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    let may_sleep = !source.is_in("tests") || source.path.ends_with(&format!("/{HELPER}"));
    for (index, line) in source.text.lines().enumerate() {
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        if code.starts_with("#[ignore") {
            let what = "no ignored tests: fix it or remove it";
            violations.push(Violation::new(&source.path, index + 1, what));
        }
        if !may_sleep && SLEEPS.iter().any(|sleep| code.contains(sleep)) {
            let what = format!("tests must not sleep: wait for a condition with `{HELPER}`");
            violations.push(Violation::new(&source.path, index + 1, what));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let source = Source {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        check(&source)
            .iter()
            .map(|violation| violation.line)
            .collect()
    }

    #[test]
    fn tests_do_not_sleep() {
        let text = "// thread::sleep( is banned\ntokio::time::sleep(SECOND).await;\nstd::thread::sleep(SECOND);";
        assert_eq!(lines("crates/e2e/tests/it/flow.rs", text), [2, 3]);
        assert_eq!(lines("crates/e2e/tests/it/until.rs", text), [0; 0]);
        assert_eq!(lines("crates/e2e/src/load.rs", text), [0; 0]);
        assert_eq!(
            lines("crates/e2e/tests/it/flow.rs", "use tokio::time::sleep;"),
            [1]
        );
    }

    #[test]
    fn no_test_is_ignored() {
        let text = "#[test]\n    #[ignore = \"slow\"]\nfn a() {}";
        assert_eq!(lines("crates/protocol/src/job.rs", text), [2]);
    }
}
