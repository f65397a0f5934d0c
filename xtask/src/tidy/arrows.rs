//! Which crate may depend on which, and on what from outside.
//!
//! Dependencies for tests and build scripts count too: an arrow that only tests follow is still an arrow.

use std::path::Path;

use anyhow::Context;

use super::relative;
use super::violation::Violation;
use crate::workspace;

/// Each crate with those it may depend on.
const ARROWS: [(&str, &[&str]); 8] = [
    ("protocol", &[]),
    ("broker", &["protocol"]),
    ("service", &[]),
    ("server", &["protocol", "broker", "service"]),
    ("queue", &["protocol", "broker", "service"]),
    ("worker", &["protocol", "broker", "service"]),
    (
        "e2e",
        &["protocol", "broker", "service", "server", "queue", "worker"],
    ),
    ("xtask", &[]),
];

/// What only one crate may depend on.
const OWNED: [(&str, &str); 1] = [("redis", "broker")];

/// What a crate must do without.
const BANNED: [(&str, &[&str]); 2] = [
    ("protocol", &["tokio", "redis", "axum"]),
    ("service", &["redis", "apalis", "apalis-core"]),
];

/// A crate of the workspace, as far as this rule looks.
pub(crate) struct Crate {
    name: String,
    manifest_path: String,
    manifest: String,
    dependencies: Vec<String>,
}

/// The crates of the workspace, as cargo sees them.
pub(crate) fn crates(root: &Path) -> anyhow::Result<Vec<Crate>> {
    let mut crates = Vec::new();
    for package in workspace::metadata()?.packages {
        let path = package.manifest_path.as_std_path();
        let manifest = std::fs::read_to_string(path)
            .with_context(|| format!("could not read {}", path.display()))?;
        crates.push(Crate {
            name: package.name.to_string(),
            manifest_path: relative(path, root),
            manifest,
            dependencies: package.dependencies.into_iter().map(|to| to.name).collect(),
        });
    }
    Ok(crates)
}

/// Every arrow that should not be.
pub(crate) fn check(crates: &[Crate]) -> Vec<Violation> {
    crates.iter().flat_map(check_crate).collect()
}

fn check_crate(from: &Crate) -> Vec<Violation> {
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == from.name) else {
        let what = format!(
            "crate `{}` has no place in the arrows between crates",
            from.name
        );
        return vec![Violation::new(&from.manifest_path, 1, what)];
    };
    let wrong = from
        .dependencies
        .iter()
        .filter_map(|to| Some((to, reason(from, allowed, to)?)));
    wrong
        .map(|(to, what)| Violation::new(&from.manifest_path, from.line_of(to), what))
        .collect()
}

fn reason(from: &Crate, allowed: &[&str], to: &str) -> Option<String> {
    let name = &from.name;
    let is_ours = ARROWS.iter().any(|(ours, _)| *ours == to);
    // A crate that names itself only switches a feature on for its own tests.
    if is_ours && to != name && !allowed.contains(&to) {
        return Some(format!("`{name}` must not depend on `{to}`"));
    }
    if let Some((_, owner)) = OWNED
        .iter()
        .find(|(owned, owner)| *owned == to && owner != name)
    {
        return Some(format!("only `{owner}` may depend on `{to}`, not `{name}`"));
    }
    let (_, banned) = BANNED.iter().find(|(crate_name, _)| crate_name == name)?;
    banned
        .contains(&to)
        .then(|| format!("`{name}` must do without `{to}`"))
}

impl Crate {
    /// The line that names a dependency, or the first.
    fn line_of(&self, dependency: &str) -> usize {
        let names = |line: &str| {
            line.trim_start()
                .strip_prefix(dependency)
                .is_some_and(|rest| rest.starts_with([' ', '.', '=']))
        };
        self.manifest
            .lines()
            .position(names)
            .map_or(1, |index| index + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(name: &str, dependencies: &[&str]) -> Vec<String> {
        let manifest = std::iter::once("[dependencies]".to_owned())
            .chain(
                dependencies
                    .iter()
                    .map(|to| format!("{to}.workspace = true")),
            )
            .collect::<Vec<_>>()
            .join("\n");
        let from = Crate {
            name: name.to_owned(),
            manifest_path: format!("crates/{name}/Cargo.toml"),
            manifest,
            dependencies: dependencies.iter().map(ToString::to_string).collect(),
        };
        check(&[from]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_arrows_of_the_design_are_allowed() {
        for (name, allowed) in ARROWS {
            assert_eq!(violations(name, allowed), [""; 0]);
        }
        assert_eq!(
            violations("broker", &["protocol", "broker", "redis", "tokio"]),
            [""; 0]
        );
    }

    #[test]
    fn an_arrow_the_wrong_way_is_named_with_its_line() {
        assert_eq!(
            violations("server", &["protocol", "worker"]),
            ["crates/server/Cargo.toml:3: `server` must not depend on `worker`"]
        );
        for (from, to) in [
            ("protocol", "broker"),
            ("service", "protocol"),
            ("xtask", "protocol"),
            ("e2e", "xtask"),
        ] {
            assert_eq!(violations(from, &[to]).len(), 1, "{from} -> {to}");
        }
    }

    #[test]
    fn redis_belongs_to_the_broker() {
        for name in [
            "server", "queue", "worker", "e2e", "service", "protocol", "xtask",
        ] {
            assert_eq!(violations(name, &["redis"]).len(), 1, "{name}");
        }
    }

    #[test]
    fn the_protocol_is_pure() {
        assert_eq!(violations("protocol", &["tokio", "axum", "serde"]).len(), 2);
    }

    #[test]
    fn a_new_crate_must_be_given_its_place() {
        assert_eq!(violations("common", &[]).len(), 1);
    }
}
