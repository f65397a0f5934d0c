//! The leases of a worker: which attempts it holds, and which of them are to end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use protocol::JobId;

use crate::{StopReason, handle::Attempt};

#[derive(Default)]
pub(crate) struct Leases {
    held: Mutex<HashMap<JobId, Arc<Attempt>>>,
}

impl Leases {
    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Arc<Attempt>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, attempt: Arc<Attempt>) {
        self.lock().insert(attempt.id, attempt);
    }

    /// Forgets an attempt. A newer attempt of the same job on the same worker stays.
    pub(crate) fn remove(&self, id: JobId, attempt: u32) {
        let mut held = self.lock();
        if held
            .get(&id)
            .is_some_and(|current| current.number == attempt)
        {
            held.remove(&id);
        }
    }

    /// Tells the handler of an attempt that it should end; says whether that is news.
    pub(crate) fn stop(&self, id: JobId, attempt: u32, why: StopReason) -> bool {
        let current = self.lock().get(&id).cloned();
        // It may have ended meanwhile, or another attempt of the same job began here.
        current.is_some_and(|current| current.number == attempt && current.stop(why))
    }

    /// How many attempts are held.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// The attempts whose leases are to be renewed now.
    pub(crate) fn to_renew(&self, now: Instant) -> Vec<(JobId, u32)> {
        self.lock()
            .values()
            .filter(|attempt| attempt.renew_until.is_none_or(|until| now < until))
            .map(|attempt| (attempt.id, attempt.number))
            .collect()
    }
}
