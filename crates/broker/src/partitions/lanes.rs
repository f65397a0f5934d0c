//! The tasks that store the jobs of a split queue, those of each partition one after the other.

use std::{collections::HashMap, sync::Arc};

use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tracing::error;

use super::{Placement, named, route::Way, router::Router};
use crate::{SubmitError, batcher::Batcher, producer::Submission};

/// How scripts read that jobs are in a partition only because what they belong to is there already.
const ONLY_THERE: &str = "!";

/// How many jobs a lane may hold at least.
const LEAST: usize = 64;

/// A lane for each way that jobs go.
pub(super) struct Lanes<'a> {
    router: &'a Router,
    placement: &'a Placement,
    open: HashMap<Way, Lane>,
    moved: Arc<Notify>,
}

struct Lane {
    jobs: mpsc::Sender<Submission>,
    /// Gives what came back, in its order.
    task: JoinHandle<Vec<Submission>>,
}

impl<'a> Lanes<'a> {
    pub(super) fn new(router: &'a Router, placement: &'a Placement) -> Self {
        Self {
            router,
            placement,
            open: HashMap::new(),
            moved: Arc::default(),
        }
    }

    /// Sends a job on its way, behind those that went there before. Waits while many are.
    pub(super) async fn send(&mut self, way: Way, job: Submission) {
        let lane = match self.open.entry(way) {
            std::collections::hash_map::Entry::Occupied(lane) => lane.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                match begin(self.router, self.placement, &self.moved, way) {
                    Ok(lane) => place.insert(lane),
                    Err(error) => {
                        error!(queue = %self.router.queue, %error, "a job could not be stored");
                        return (job.done)(Err(SubmitError::Refused));
                    }
                }
            }
        };
        if let Err(mpsc::error::SendError(job)) = lane.jobs.send(job).await {
            // Its task is gone, which only a panic does.
            (job.done)(Err(SubmitError::Refused));
        }
    }

    /// Waits until jobs came back.
    pub(super) async fn moved(&self) {
        self.moved.notified().await;
    }

    /// Waits until all that is under way is stored or has come back, and gives what has.
    pub(super) async fn end(self) -> Vec<Submission> {
        let (senders, tasks): (Vec<_>, Vec<_>) = self
            .open
            .into_values()
            .map(|lane| (lane.jobs, lane.task))
            .unzip();
        drop(senders);
        let mut back = Vec::new();
        for task in tasks {
            back.append(&mut task.await.unwrap_or_default());
        }
        back
    }
}

fn begin(
    router: &Router,
    placement: &Placement,
    moved: &Arc<Notify>,
    way: Way,
) -> Result<Lane, crate::Error> {
    let text = if way.only_there {
        ONLY_THERE.to_owned()
    } else {
        placement.at(&router.queue, way.index)
    };
    let storage = router.storage(named(&router.queue, way.index)?, text);
    // All together hold about as many as that of a queue which is not split.
    let share = router.config.capacity / usize::from(placement.held());
    let (jobs, receiver) = mpsc::channel(share.max(LEAST));
    let moved = Arc::clone(moved);
    let task = router.tracker.spawn(async move {
        let mut batcher = Batcher::new(storage, receiver);
        let mut back = Vec::new();
        loop {
            let mut more = batcher.run().await;
            if more.is_empty() {
                return back;
            }
            back.append(&mut more);
            moved.notify_one();
        }
    });
    Ok(Lane { jobs, task })
}
