//! What was counted beside the baseline, as a table, and what follows from it.

use std::fmt;

use anyhow::bail;

use super::baseline::{FILE, Group};
use super::say;

/// How far from the baseline a count may be, in percent.
const TOLERANCE: f64 = 5.0;
/// And in instructions: of very few a handful is no more than another way to say the same.
const HANDFUL: u64 = 16;

/// Counts beside the baseline's.
#[derive(Default)]
pub(crate) struct Comparison {
    rows: Vec<Row>,
    notes: Vec<String>,
}

struct Row {
    name: String,
    before: Option<u64>,
    now: u64,
}

impl Row {
    /// In percent of the baseline.
    fn change(&self) -> Option<f64> {
        let before = self.before.filter(|before| *before > 0)? as f64;
        Some((self.now as f64 - before) / before * 100.0)
    }

    /// Whether the difference is more than a few instructions.
    fn is_telling(&self) -> bool {
        self.before
            .is_some_and(|before| before.abs_diff(self.now) > HANDFUL)
    }
}

impl Comparison {
    /// Whether a group that is made with these tools can be put beside that of the baseline; notes why not.
    pub(crate) fn can_have(&mut self, name: &str, before: Option<&Group>, made_with: &str) -> bool {
        let Some(before) = before else {
            self.notes.push(format!("{name}: not in the baseline"));
            return false;
        };
        let can = before.made_with == made_with;
        if !can {
            self.notes.push(format!(
                "{name}: not compared. The baseline was made with `{}`, this with `{made_with}`",
                before.made_with
            ));
        }
        can
    }

    /// Puts a group's counts beside those of the baseline, unless they were made with other tools.
    pub(crate) fn add(&mut self, name: &str, before: Option<&Group>, now: &Group) {
        let can = before.is_some() && self.can_have(name, before, &now.made_with);
        let comparable = before.filter(|_| can);
        let rows = now.counts.iter().map(|(name, now)| Row {
            name: name.clone(),
            before: comparable.and_then(|before| before.counts.get(name).copied()),
            now: *now,
        });
        self.rows.extend(rows);
    }

    /// Whether nothing was counted.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Says what is to be done. A failure where a count is too far above its baseline.
    pub(crate) fn conclude(&self) -> anyhow::Result<()> {
        let names = |is_meant: fn(f64) -> bool| {
            let rows = self.rows.iter();
            let meant = rows.filter(|row| row.is_telling() && row.change().is_some_and(is_meant));
            meant
                .map(|row| row.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let (above, below) = (
            names(|change| change > TOLERANCE),
            names(|change| change < -TOLERANCE),
        );
        if !below.is_empty() {
            say::line(format!(
                "more than {TOLERANCE}% below the baseline: {below}. Store it with `cargo xtask instructions --save`, or a \
                 later loss will not show"
            ));
        }
        if !above.is_empty() {
            bail!(
                "more than {TOLERANCE}% above the baseline: {above}. If it is worth that, `cargo xtask instructions \
                 --save` accepts it; commit {FILE} with the change"
            );
        }
        Ok(())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.rows.iter().map(|row| row.name.len());
        let width = names.max().unwrap_or_default();
        write!(
            f,
            "{:width$} {:>13} {:>13} {:>8}",
            "instructions", "baseline", "now", "change"
        )?;
        for row in &self.rows {
            let before = row.before.map_or_else(|| "none".to_owned(), grouped);
            let change = row
                .change()
                .map_or_else(String::new, |change| format!("{change:+.1}%"));
            write!(
                f,
                "\n{:width$} {before:>13} {:>13} {change:>8}",
                row.name,
                grouped(row.now)
            )?;
        }
        for note in &self.notes {
            write!(f, "\n{note}")?;
        }
        Ok(())
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(made_with: &str, count: u64) -> Group {
        let mut group = Group::new(made_with.to_owned());
        group.insert("a".to_owned(), count);
        group
    }

    fn compared(before: Option<&Group>, now: &Group) -> (String, bool) {
        let mut comparison = Comparison::default();
        comparison.add("g", before, now);
        (comparison.to_string(), comparison.conclude().is_ok())
    }

    #[test]
    fn five_percent_are_noise_and_more_is_not() {
        let before = group("1", 100_000);
        for (now, shown, is_fine) in [
            (105_000, "+5.0%", true),
            (105_100, "+5.1%", false),
            (50_000, "-50.0%", true),
        ] {
            let (text, concluded) = compared(Some(&before), &group("1", now));
            assert!(text.ends_with(shown), "{text}");
            assert_eq!(concluded, is_fine);
        }
    }

    #[test]
    fn a_handful_of_instructions_says_nothing() {
        let before = group("1", 80);
        assert!(compared(Some(&before), &group("1", 96)).1);
        assert!(!compared(Some(&before), &group("1", 97)).1);
    }

    #[test]
    fn other_tools_are_not_compared() {
        let now = group("2", 200_000);
        let (text, is_fine) = compared(Some(&group("1", 100_000)), &now);
        assert!(text.contains("g: not compared"), "{text}");
        assert!(is_fine);
        let (text, is_fine) = compared(None, &now);
        assert!(text.contains("none") && text.contains("200,000"), "{text}");
        assert!(is_fine);
    }

    #[test]
    fn why_something_is_left_out_is_said() {
        let mut comparison = Comparison::default();
        assert!(!comparison.can_have("g", None, "1"));
        assert!(!comparison.can_have("h", Some(&group("1", 5)), "2"));
        assert!(comparison.can_have("i", Some(&group("1", 5)), "1"));
        assert!(comparison.is_empty());
        let text = comparison.to_string();
        assert!(text.contains("g: not in the baseline"), "{text}");
        assert!(text.contains("h: not compared"), "{text}");
        assert!(!text.contains("i: "), "{text}");
    }

    #[test]
    fn numbers_can_be_read() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
