//! Lays JSON out without changing what it says: keys keep their order, numbers their digits.
//!
//! Takes only valid JSON. Harmful characters, which can only stand in strings, become JSON escapes, so that the
//! result is the same value and safe to show.

use std::fmt::Write as _;

use super::escape::is_harmful;

/// How deep lines are indented at most: nesting without end must not make output without end.
const DEEPEST: usize = 24;

/// Everything on one line.
pub(crate) fn compact(text: &str) -> String {
    lay_out(text, false)
}

/// One member or element a line, indented by two.
pub(crate) fn pretty(text: &str) -> String {
    lay_out(text, true)
}

fn lay_out(text: &str, lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    // Whether an opening bracket waits to see if anything is in it.
    let mut opened = false;
    for c in text.chars() {
        if in_string {
            push(&mut out, c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        if matches!(c, ' ' | '\n' | '\r' | '\t') {
            continue;
        }
        let closes = matches!(c, '}' | ']');
        if closes {
            depth = depth.saturating_sub(1);
        }
        if lines && (opened != closes) {
            new_line(&mut out, depth);
        }
        opened = false;
        push(&mut out, c);
        match c {
            '"' => in_string = true,
            '{' | '[' => {
                depth += 1;
                opened = true;
            }
            ',' if lines => new_line(&mut out, depth),
            ':' if lines => out.push(' '),
            _ => {}
        }
    }
    out
}

fn push(out: &mut String, c: char) {
    if is_harmful(c) {
        // All harmful characters have four hexadecimal digits at most.
        let _ = write!(out, "\\u{:04x}", u32::from(c));
    } else {
        out.push(c);
    }
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(DEEPEST)));
}

#[cfg(test)]
mod tests {
    use super::{DEEPEST, compact, pretty};

    #[test]
    fn one_member_a_line() {
        let text = r#"{"b":[1.0,2e400,{}],"a":{"x":"a,\"{b}\\"},"e":[ ],"n":null}"#;
        let expected = r#"{
  "b": [
    1.0,
    2e400,
    {}
  ],
  "a": {
    "x": "a,\"{b}\\"
  },
  "e": [],
  "n": null
}"#;
        assert_eq!(pretty(text), expected);
        assert_eq!(compact(expected), text.replace("[ ]", "[]"));
        assert_eq!(pretty("\"x\""), "\"x\"");
        assert_eq!(pretty(" 12345678901234567890 "), "12345678901234567890");
    }

    #[test]
    fn harmful_characters_become_escapes_of_the_same_value() {
        let text = "{\r\"a\":\"\u{9b}2J\u{7f}\u{202e}\"}";
        let safe = compact(text);
        assert_eq!(safe, r#"{"a":"\u009b2J\u007f\u202e"}"#);
        let value: serde_json::Value = serde_json::from_str(&safe).unwrap();
        assert_eq!(
            value,
            serde_json::from_str::<serde_json::Value>(text).unwrap()
        );
    }

    #[test]
    fn deep_nesting_stays_small() {
        let depth = 100_000;
        let text = "[".repeat(depth) + &"]".repeat(depth);
        assert!(pretty(&text).len() < 2 * depth * (2 * DEEPEST + 2));
    }
}
