//! How a queue went in the last minutes: jobs that ended, in steps of a few seconds. Bounded.

use std::collections::VecDeque;

use broker::Totals;

/// How long a step is.
pub(super) const STEP_MS: u64 = 5_000;
/// How many are kept: ten minutes.
const STEPS: u64 = 120;

/// Jobs that ended, a step each, the newest last.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    /// The number of the newest step since 1970.
    newest: u64,
    steps: VecDeque<u64>,
}

impl Trail {
    /// Adds what happened between two looks to the step of the second. Totals that fell, because Redis was wiped, add
    /// nothing.
    pub(super) fn add(&mut self, at_ms: u64, before: &Totals, now: &Totals) {
        let step = at_ms / STEP_MS;
        if self.steps.is_empty() {
            self.newest = step;
            self.steps.push_back(0);
        }
        // A clock that was set back adds to the newest step.
        let passed = step.saturating_sub(self.newest);
        for _ in 0..passed.min(STEPS) {
            self.steps.push_back(0);
        }
        self.newest = self.newest.max(step);
        while self.steps.len() as u64 > STEPS {
            self.steps.pop_front();
        }
        let ended = |totals: &Totals| totals.completed + totals.failed;
        if let Some(newest) = self.steps.back_mut() {
            *newest += ended(now).saturating_sub(ended(before));
        }
    }

    /// What is known, the newest last.
    pub(super) fn steps(&self) -> Vec<u64> {
        self.steps.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use broker::Totals;

    use super::{STEP_MS, STEPS, Trail};

    fn ended(completed: u64, failed: u64) -> Totals {
        Totals {
            completed,
            failed,
            ..Totals::default()
        }
    }

    #[test]
    fn what_ended_is_added_to_its_step() {
        let mut trail = Trail::default();
        trail.add(STEP_MS, &ended(5, 0), &ended(7, 1));
        trail.add(STEP_MS + 1_000, &ended(7, 1), &ended(8, 1));
        trail.add(4 * STEP_MS, &ended(8, 1), &ended(9, 1));
        assert_eq!(trail.steps(), [4, 0, 0, 1]);
        trail.add(4 * STEP_MS, &ended(9, 1), &ended(0, 0));
        trail.add(0, &ended(0, 0), &ended(2, 0));
        assert_eq!(trail.steps(), [4, 0, 0, 3]);
        trail.add(STEP_MS << 40, &ended(2, 0), &ended(3, 0));
        assert_eq!(trail.steps().len() as u64, STEPS);
        assert_eq!(trail.steps().last(), Some(&1));
    }
}
