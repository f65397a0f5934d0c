//! Starts attempts of jobs that are in no queue.

use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicU64, Ordering},
};

use broker::Detached;
use futures_util::FutureExt as _;
use protocol::{Job, JobId, JobOptions, Kind};
use serde::Serialize;
use serde_json::value::to_raw_value;
use tokio_util::task::TaskTracker;

use crate::{Dispatch, Registry, panic::on_panic};

use super::{Ran, Running};

/// A registry that runs jobs as a worker does, layers included, but for the queue: nothing is stored, and nothing is
/// tried again.
#[derive(Debug)]
pub struct Harness {
    dispatch: Dispatch,
    attempt: u32,
    options: JobOptions,
    made: AtomicU64,
    tracker: TaskTracker,
}

impl Harness {
    /// A harness whose jobs are in their first attempt and have the default options.
    pub fn new<S: Clone + Send + Sync + 'static>(registry: Registry<S>) -> Self {
        Self {
            dispatch: registry.into_service(),
            attempt: 1,
            options: JobOptions::default(),
            made: AtomicU64::new(0),
            tracker: TaskTracker::new(),
        }
    }

    /// The jobs from here on are in this attempt, from 1.
    #[must_use]
    pub fn attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }

    /// The jobs from here on have these options: a tenant of their own, say, or fewer attempts.
    #[must_use]
    pub fn options(self, options: JobOptions) -> Self {
        Self { options, ..self }
    }

    /// Runs one attempt to its end.
    pub async fn run(&self, kind: &str, payload: impl Serialize) -> Ran {
        self.start(kind, payload).finish().await
    }

    /// Starts one attempt on a task of its own. It must be called inside a tokio runtime.
    ///
    /// Panics if no server would take such a job: the kind is no name, or the payload is too large or no JSON.
    pub fn start(&self, kind: &str, payload: impl Serialize) -> Running {
        let job = Job {
            kind: Kind::new(kind).unwrap_or_else(|error| panic!("{kind:?}: {error}")),
            payload: to_raw_value(&payload).expect("the payload is JSON"),
            options: self.options.clone(),
        };
        if let Err(error) = job.validate() {
            panic!("no server takes this job: {error}");
        }
        let made = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let id = JobId::from_parts(made, 0);
        let (handle, events) = Detached::new(id, self.attempt, &job.options);
        let attempt = AssertUnwindSafe(self.dispatch.attempt(handle, job)).catch_unwind();
        let attempt =
            attempt.map(|result| result.unwrap_or_else(|panic| Err(on_panic(&panic).into())));
        let task = self.tracker.spawn(attempt);
        Running::new(task.into(), events)
    }
}
