//! How many connections there may be, and whether there may be any more.
//!
//! Never waits: who finds no place is told so and may come back.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use crate::Metrics;

/// Gives out places for connections.
#[derive(Debug)]
pub struct Admission {
    places: Arc<Semaphore>,
    taken: TaskTracker,
    metrics: Arc<Metrics>,
}

/// The right to one connection, until it is dropped.
#[derive(Debug)]
pub struct Place {
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
    _token: TaskTrackerToken,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// All places are taken.
    #[error("this server has as many connections as it may have; try again in a few seconds")]
    Full,
    /// The process stops.
    #[error("this server is stopping; connect again to reach another")]
    Draining,
}

impl Admission {
    /// At most `max` places at a time.
    pub fn new(max: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(max)),
            taken: TaskTracker::new(),
            metrics,
        }
    }

    /// Takes a place.
    pub fn admit(&self) -> Result<Place, NoPlace> {
        let token = self.taken.token();
        let permit = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|error| match error {
                TryAcquireError::Closed => NoPlace::Draining,
                TryAcquireError::NoPermits => NoPlace::Full,
            })?;
        self.metrics.connections.inc();
        self.metrics.connections_accepted.inc();
        Ok(Place {
            metrics: Arc::clone(&self.metrics),
            _permit: permit,
            _token: token,
        })
    }

    /// Counts a request that must be answered before the process ends, and takes no place.
    pub fn work(&self) -> Result<TaskTrackerToken, NoPlace> {
        let token = self.taken.token();
        if self.places.is_closed() {
            return Err(NoPlace::Draining);
        }
        Ok(token)
    }

    /// Gives out no more places.
    pub fn close(&self) {
        self.places.close();
        self.taken.close();
    }

    /// Waits, after [`Self::close`], until all places have come back.
    pub async fn emptied(&self) {
        self.taken.wait().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::{Admission, NoPlace};

    #[tokio::test]
    async fn work_is_waited_for() {
        let admission = Admission::new(1, std::sync::Arc::default());
        let work = admission.work().unwrap();
        admission.close();
        assert!(admission.emptied().now_or_never().is_none());
        drop(work);
        admission.emptied().await;
    }

    #[tokio::test]
    async fn places_are_limited_and_come_back() {
        let admission = Admission::new(1, std::sync::Arc::default());
        let place = admission.admit().unwrap();
        assert_eq!(admission.metrics.connections.get(), 1);
        assert_eq!(admission.admit().unwrap_err(), NoPlace::Full);
        drop(place);
        assert_eq!(admission.metrics.connections.get(), 0);
        let last = admission.admit().unwrap();
        admission.close();
        assert_eq!(admission.admit().unwrap_err(), NoPlace::Draining);
        assert_eq!(admission.work().unwrap_err(), NoPlace::Draining);
        assert!(admission.emptied().now_or_never().is_none());
        drop(last);
        admission.emptied().await;
    }
}
