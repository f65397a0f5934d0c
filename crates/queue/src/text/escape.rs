//! Makes text that strangers wrote safe to show: no control sequence, no reversed reading order, no line of its own.

use std::borrow::Cow;

/// Whether a character can steer a terminal or change in which order a line reads.
pub(crate) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

/// One line, in which each harmful character is written out.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) {
            // `\n`, `\r` and `\t` by name, others as `\u{1b}`.
            safe.extend(c.escape_debug());
        } else {
            safe.push(c);
        }
    }
    safe.into()
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn harmless_text_stays() {
        for text in ["", "plain", "Grüße 👩‍👩‍👧 \\ \" '", "日本語"] {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn harmful_characters_are_written_out() {
        assert_eq!(line("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(line("one\r\ntwo\t\0"), "one\\r\\ntwo\\t\\0");
        assert_eq!(line("\u{9b}31m \u{7f}"), "\\u{9b}31m \\u{7f}");
        assert_eq!(line("\u{202e}gnp.exe"), "\\u{202e}gnp.exe");
        assert_eq!(line("\u{2066}\u{feff}"), "\\u{2066}\\u{feff}");
    }
}
