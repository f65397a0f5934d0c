//! What was counted when somebody last said that it is as it should be.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::workspace;

/// Where it is kept, from the root of the workspace.
pub(crate) const FILE: &str = "xtask/instructions.json";

/// The counts of all groups, by name.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Baseline(BTreeMap<String, Group>);

/// Counts that were made with the same tools.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// The program that was counted, or the compiler that made it: with another, other counts are no regression.
    pub(crate) made_with: String,
    /// Instructions, by what was counted.
    pub(crate) counts: BTreeMap<String, u64>,
}

impl Group {
    /// One without counts.
    pub(crate) fn new(made_with: String) -> Self {
        Self {
            made_with,
            counts: BTreeMap::new(),
        }
    }

    /// Adds a count.
    pub(crate) fn insert(&mut self, name: String, count: u64) {
        self.counts.insert(name, count);
    }
}

impl Baseline {
    /// The stored one; empty if there is none.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let path = workspace::root().join(FILE);
        if !path.exists() {
            return Ok(Self::default());
        }
        let text =
            std::fs::read_to_string(path).with_context(|| format!("could not read {FILE}"))?;
        serde_json::from_str(&text).with_context(|| format!("{FILE} is damaged"))
    }

    /// The counts of a group.
    pub(crate) fn group(&self, name: &str) -> Option<&Group> {
        self.0.get(name)
    }

    /// Takes these counts instead. A part of a group replaces that part, unless the rest was made with other tools.
    pub(crate) fn replace(&mut self, name: &str, mut counted: Group, is_part: bool) {
        if let Some(old) = self.0.remove(name)
            && is_part
            && old.made_with == counted.made_with
        {
            let kept = old.counts.into_iter();
            let kept: Vec<_> = kept
                .filter(|(name, _)| !counted.counts.contains_key(name))
                .collect();
            counted.counts.extend(kept);
        }
        self.0.insert(name.to_owned(), counted);
    }

    /// Stores it.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self).context("could not write JSON")?;
        std::fs::write(workspace::root().join(FILE), text + "\n")
            .with_context(|| format!("could not write {FILE}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(made_with: &str, counts: &[(&str, u64)]) -> Group {
        let mut group = Group::new(made_with.to_owned());
        for (name, count) in counts {
            group.insert((*name).to_owned(), *count);
        }
        group
    }

    #[test]
    fn a_part_leaves_the_rest() {
        let mut baseline = Baseline::default();
        baseline.replace("a", group("1", &[("x", 1), ("y", 2)]), false);
        baseline.replace("a", group("1", &[("y", 3)]), true);
        assert_eq!(
            baseline.group("a"),
            Some(&group("1", &[("x", 1), ("y", 3)]))
        );
        baseline.replace("a", group("2", &[("y", 4)]), true);
        assert_eq!(baseline.group("a"), Some(&group("2", &[("y", 4)])));
        baseline.replace("a", group("2", &[("z", 5)]), false);
        assert_eq!(baseline.group("a"), Some(&group("2", &[("z", 5)])));
    }

    #[test]
    fn the_stored_one_can_be_read() {
        Baseline::read().unwrap();
    }
}
