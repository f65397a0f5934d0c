//! Whether this process can take work now, as one answer made of named conditions.
//!
//! A latch closes it for good when the process drains: a condition that comes back true must not bring traffic
//! to a process that is about to end. Never waits and never asks anyone: conditions are told to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tracing::{info, warn};

/// The readiness of this process; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    draining: AtomicBool,
    conditions: RwLock<Vec<Arc<Condition>>>,
}

#[derive(Debug)]
struct Condition {
    name: &'static str,
    met: AtomicBool,
    /// Whether anything was said yet, so that a condition that fails from the start is logged too.
    told: AtomicBool,
}

/// One condition, held by whoever knows whether it is met; clones share it.
#[derive(Clone, Debug)]
pub struct Check {
    condition: Arc<Condition>,
}

impl Readiness {
    /// Ready until a condition is registered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a condition, not met at first. Names should differ: they are keys of the report.
    pub fn check(&self, name: &'static str) -> Check {
        let condition = Arc::new(Condition {
            name,
            met: AtomicBool::new(false),
            told: AtomicBool::new(false),
        });
        self.state
            .conditions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&condition));
        Check { condition }
    }

    /// True while all conditions are met and the process does not drain.
    pub fn is_ready(&self) -> bool {
        self.report().0
    }

    /// Not ready from here on, whatever the conditions become.
    pub fn drain(&self) {
        self.state.draining.store(true, Ordering::SeqCst);
    }

    /// The answer with each condition, in the order of registration.
    pub fn report(&self) -> (bool, Vec<(&'static str, bool)>) {
        let checks: Vec<_> = self
            .state
            .conditions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|condition| (condition.name, condition.met.load(Ordering::SeqCst)))
            .collect();
        let draining = self.state.draining.load(Ordering::SeqCst);
        (!draining && checks.iter().all(|(_, met)| *met), checks)
    }
}

impl Check {
    /// Says whether the condition is met. Cheap, and logs only a change.
    pub fn set(&self, met: bool) {
        self.set_with(met, "");
    }

    /// Like [`Self::set`], with the reason that is logged when it is a change.
    pub fn set_with(&self, met: bool, reason: &str) {
        let first = !self.condition.told.swap(true, Ordering::SeqCst);
        if self.condition.met.swap(met, Ordering::SeqCst) == met && !first {
            return;
        }
        let check = self.condition.name;
        match (met, reason) {
            (true, "") => info!(check, "condition met"),
            (true, reason) => info!(check, reason, "condition met"),
            (false, "") => warn!(check, "condition not met"),
            (false, reason) => warn!(check, reason, "condition not met"),
        }
    }

    /// What was last said.
    pub fn is_met(&self) -> bool {
        self.condition.met.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_condition_is_met() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());
        let redis = readiness.check("redis");
        let listener = readiness.check("listener");
        assert!(!readiness.is_ready());
        redis.set(true);
        assert_eq!(
            readiness.report(),
            (false, vec![("redis", true), ("listener", false)])
        );
        listener.clone().set(true);
        assert!(readiness.is_ready());
        redis.set_with(false, "connection lost");
        assert!(!readiness.is_ready());
    }

    #[test]
    fn draining_is_for_good() {
        let readiness = Readiness::new();
        let redis = readiness.check("redis");
        redis.set(true);
        readiness.clone().drain();
        redis.set(false);
        redis.set(true);
        assert_eq!(readiness.report(), (false, vec![("redis", true)]));
    }
}
