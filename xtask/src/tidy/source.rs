//! Rust sources: short enough to read in one go, and each says why it exists.

use std::path::Path;

use anyhow::Context;

use super::relative;
use super::violation::Violation;

const MAX_LINES: usize = 400;

/// One source file.
pub(crate) struct Source {
    /// From the root of the workspace, with `/`.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

/// Every Rust source of the workspace.
pub(crate) fn all(root: &Path) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for folder in ["crates", "xtask"] {
        collect(root, &root.join(folder), &mut sources)?;
    }
    Ok(sources)
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> anyhow::Result<()> {
    let reading = || format!("could not read {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(root, &path, sources)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("could not read {}", path.display()))?;
            sources.push(Source {
                path: relative(&path, root),
                text,
            });
        }
    }
    Ok(())
}

impl Source {
    /// The length, and the doc comment at the top.
    pub(crate) fn check(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let lines = self.text.lines().count();
        if lines > MAX_LINES {
            let what = format!("{lines} lines, at most {MAX_LINES}: split it by noun");
            violations.push(Violation::new(&self.path, MAX_LINES + 1, what));
        }
        if self.is_in("src") && !self.text.starts_with("//!") {
            let what = "must start with a `//!` comment that says why the file exists";
            violations.push(Violation::new(&self.path, 1, what));
        }
        violations
    }

    /// True for `crates/*/FOLDER/…` and `xtask/FOLDER/…`.
    pub(crate) fn is_in(&self, folder: &str) -> bool {
        let mut parts = self.path.split('/');
        match parts.next() {
            Some("crates") => parts.nth(1) == Some(folder),
            Some("xtask") => parts.next() == Some(folder),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<String> {
        let source = Source {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        source.check().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn four_hundred_lines_and_no_more() {
        let text = format!("//! Doc.\n{}", "x\n".repeat(399));
        assert_eq!(violations("crates/server/src/hub.rs", &text), [""; 0]);
        let text = text + "x";
        assert_eq!(
            violations("crates/server/src/hub.rs", &text),
            ["crates/server/src/hub.rs:401: 401 lines, at most 400: split it by noun"]
        );
    }

    #[test]
    fn a_source_says_why_it_exists() {
        for path in ["crates/server/src/bin/a/b.rs", "xtask/src/main.rs"] {
            assert_eq!(violations(path, "fn main() {}\n").len(), 1, "{path}");
            assert_eq!(
                violations(path, "//! Why.\nfn main() {}\n").len(),
                0,
                "{path}"
            );
        }
        assert_eq!(
            violations("crates/e2e/tests/it/main.rs", "mod a;\n").len(),
            0
        );
    }
}
