//! The top level of the workspace: what people and tools look for by name.

use std::path::Path;

use super::violation::Violation;

const ENTRIES: [&str; 18] = [
    ".cargo/config.toml",
    ".config/nextest.toml",
    ".github/workflows",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "crates",
    "deny.toml",
    "docker-compose.yml",
    "docs",
    "rustfmt.toml",
    "xtask",
];

/// Entries that are missing.
pub(crate) fn check(root: &Path) -> Vec<Violation> {
    let missing = ENTRIES
        .into_iter()
        .filter(|entry| !root.join(entry).exists());
    missing
        .map(|entry| Violation::new(entry, 1, "missing at the top level"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_lacks_everything() {
        let nowhere = Path::new("/no/such/folder");
        assert_eq!(check(nowhere).len(), ENTRIES.len());
    }
}
