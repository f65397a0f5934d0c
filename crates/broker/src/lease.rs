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
            .filter(|attempt| attempt.renew_until.get().is_none_or(|until| now < *until))
            .map(|attempt| (attempt.id, attempt.number))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use protocol::{JobId, JobOptions};

    use super::Leases;
    use crate::Detached;

    #[test]
    fn a_lease_is_renewed_until_the_attempts_time_is_over_and_that_begins_with_its_start() {
        let options = JobOptions {
            timeout_ms: Some(1_000),
            ..JobOptions::default()
        };
        let (handle, _events) = Detached::new(JobId::from_parts(1, 1), 1, &options);
        let leases = Leases::default();
        leases.insert(handle.shared());
        let late = Instant::now() + Duration::from_secs(3600);
        // Taken ahead, it may wait for longer than it may run.
        assert_eq!(leases.to_renew(late).len(), 1);
        handle.fixed().start();
        assert_eq!(leases.to_renew(Instant::now()).len(), 1);
        assert_eq!(leases.to_renew(late).len(), 0);
    }
}
