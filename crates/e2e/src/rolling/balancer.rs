//! Where clients may connect to: what a balancer knows from the servers' readiness.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::RngExt as _;

/// The ports of the servers that take connections. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Balancer(Arc<Mutex<Vec<u16>>>);

impl Balancer {
    /// A server is ready.
    pub(super) fn add(&self, port: u16) {
        self.lock().push(port);
    }

    /// A server is not ready any more.
    pub(super) fn remove(&self, port: u16) {
        self.lock().retain(|other| *other != port);
    }

    /// Any of them.
    pub(super) fn pick(&self) -> Option<u16> {
        let ports = self.lock();
        let n = rand::rng().random_range(0..ports.len().max(1));
        ports.get(n).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u16>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
