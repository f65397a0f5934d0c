//! Every error code that a client may see is in `docs/protocol.md`.
//!
//! The JSON examples of that document are checked by a test of `protocol`; this covers what a client decides by.

use std::path::Path;

use anyhow::Context;

use super::violation::Violation;

const CODES: &str = "crates/protocol/src/code.rs";
const DOCUMENT: &str = "docs/protocol.md";

/// Codes that the document leaves out.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<Violation>> {
    let source = std::fs::read_to_string(root.join(CODES))
        .with_context(|| format!("could not read {CODES}"))?;
    let Ok(document) = std::fs::read_to_string(root.join(DOCUMENT)) else {
        return Ok(vec![Violation::new(DOCUMENT, 1, "missing")]);
    };
    Ok(undocumented(&source, &document))
}

fn undocumented(source: &str, document: &str) -> Vec<Violation> {
    let codes = codes(source);
    if codes.is_empty() {
        return vec![Violation::new(
            CODES,
            1,
            "no code found in a function `as_str`",
        )];
    }
    // In code quotes, so that a word of the text does not count.
    let is_missing = |(_, code): &(usize, &str)| !document.contains(&format!("`{code}`"));
    let missing = codes.into_iter().filter(is_missing);
    missing
        .map(|(line, code)| Violation::new(CODES, line, format!("`{code}` is not in {DOCUMENT}")))
        .collect()
}

/// The string literals in the body of `as_str`, with their lines.
fn codes(source: &str) -> Vec<(usize, &str)> {
    let mut codes = Vec::new();
    let mut end = None;
    for (index, line) in source.lines().enumerate() {
        if line.contains("fn as_str(") {
            // The brace that closes a function stands below its first letter.
            end = Some(line.len() - line.trim_start().len());
        } else if let Some(indent) = end {
            if line.trim() == "}" && line.len() - 1 == indent {
                end = None;
            }
            let literals = line.split('"').skip(1).step_by(2);
            codes.extend(literals.map(|code| (index + 1, code)));
        }
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
impl ErrorCode {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotFound => "not_found",
        }
    }

    fn other() -> &'static str {
        "other"
    }
}
"#;

    #[test]
    fn only_the_codes_are_read() {
        assert_eq!(codes(SOURCE), [(5, "too_large"), (6, "not_found")]);
    }

    #[test]
    fn a_code_without_a_row_is_named() {
        let violations = undocumented(SOURCE, "| `too_large` | … |\nA job that is not_found.");
        let violations: Vec<_> = violations.iter().map(ToString::to_string).collect();
        assert_eq!(
            violations,
            ["crates/protocol/src/code.rs:6: `not_found` is not in docs/protocol.md"]
        );
    }

    #[test]
    fn finding_no_code_is_no_success() {
        assert_eq!(undocumented("enum ErrorCode {}", "").len(), 1);
    }
}
