//! What happened between two looks at a queue: differences of what is counted.

use std::collections::BTreeMap;

use broker::{Minute, Totals};
use protocol::Kind;
use serde::Serialize;
use utoipa::ToSchema;

/// How often something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[allow(missing_docs, reason = "they are the totals' own names")]
pub(crate) struct Happened {
    pub(crate) enqueued: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) retried: u64,
    pub(crate) cancelled: u64,
    pub(crate) lost: u64,
}

/// How jobs of a kind ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct OfKind {
    /// The kind.
    #[schema(value_type = String)]
    pub(crate) kind: Kind,
    /// Jobs that completed.
    pub(crate) completed: u64,
    /// Jobs that failed for good.
    pub(crate) failed: u64,
}

impl Happened {
    /// Between two looks. Totals that fell, because Redis was wiped, count as nothing.
    pub(crate) fn between(before: &Totals, after: &Totals) -> Self {
        let grown = |of: fn(&Totals) -> u64| of(after).saturating_sub(of(before));
        Self {
            enqueued: grown(|totals| totals.enqueued),
            completed: grown(|totals| totals.completed),
            failed: grown(|totals| totals.failed),
            retried: grown(|totals| totals.retried),
            cancelled: grown(|totals| totals.cancelled),
            lost: grown(|totals| totals.lost),
        }
    }

    pub(crate) const fn add(&mut self, more: &Self) {
        self.enqueued += more.enqueued;
        self.completed += more.completed;
        self.failed += more.failed;
        self.retried += more.retried;
        self.cancelled += more.cancelled;
        self.lost += more.lost;
    }
}

/// How jobs of each kind ended in all of the minutes, the busiest kind first; those of which none did are left out.
pub(crate) fn kinds(minutes: &[Minute]) -> Vec<OfKind> {
    let mut sums = BTreeMap::<&Kind, (u64, u64)>::new();
    for pair in minutes.windows(2) {
        let [before, after] = pair else { continue };
        for (kind, totals) in &after.kinds {
            let old = before.kinds.get(kind).copied().unwrap_or_default();
            let sum = sums.entry(kind).or_default();
            sum.0 += totals.completed.saturating_sub(old.completed);
            sum.1 += totals.failed.saturating_sub(old.failed);
        }
    }
    let ended = sums
        .into_iter()
        .filter(|(_, (done, failed))| done + failed > 0);
    let mut kinds: Vec<_> = ended
        .map(|(kind, (completed, failed))| OfKind {
            kind: kind.clone(),
            completed,
            failed,
        })
        .collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.completed + kind.failed));
    kinds
}
