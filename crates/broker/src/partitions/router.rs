//! The task that has the jobs of a queue stored: all in one place while the queue is not split, else each in the partition
//! where it belongs.
//!
//! Where a partition refuses jobs because the queue was split otherwise meanwhile, all that is under way comes to an end
//! first, and what came back goes before what came later: jobs of a topic keep their order.

use std::{sync::Arc, time::Duration};

use protocol::QueueName;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::{Placement, lanes::Lanes, route::Route};
use crate::{
    Backoff, ProducerConfig, QueueArgs, Redis, SubmitError,
    batcher::Batcher,
    producer::Submission,
    storage::{Storage, refuse},
};

/// How many jobs are routed together.
const TOGETHER: usize = 256;

/// Has the jobs of a queue stored.
#[derive(Clone)]
pub(crate) struct Router {
    pub(crate) redis: Redis,
    pub(crate) queue: QueueName,
    pub(crate) args: QueueArgs,
    pub(crate) config: ProducerConfig,
    pub(crate) tracker: TaskTracker,
}

/// How it goes on.
enum Next {
    /// Nobody hands in any more, and all is stored.
    Over,
    /// These came back.
    Back(Vec<Submission>),
}

impl Router {
    /// Until nobody hands in any more, and all is stored.
    pub(crate) async fn run(self, receiver: mpsc::Receiver<Submission>) {
        let mut batcher = Batcher::new(self.storage(self.queue.clone(), String::new()), receiver);
        let mut back = batcher.run().await;
        if back.is_empty() {
            return;
        }
        let mut receiver = batcher.into_receiver();
        let mut last = Arc::<Placement>::default();
        let mut backoff = Backoff::default();
        loop {
            let Some(placement) = self.newest(&mut back, &last).await else {
                refuse(&mut back, &SubmitError::Unconfirmed);
                turn_away(&mut receiver).await;
                return;
            };
            if placement.generation() > last.generation() {
                info!(queue = %self.queue, partitions = placement.count(), "the queue is split");
                backoff.reset();
            } else {
                // A log that expired is why, at most; nothing else may have this turn without end.
                let pause = tokio::time::sleep(backoff.pause());
                self.config.hard.run_until_cancelled(pause).await;
                self.refuse_late(&mut back);
            }
            match self.spread(&placement, back, &mut receiver).await {
                Next::Over => return,
                Next::Back(jobs) => back = jobs,
            }
            last = placement;
        }
    }

    /// What stores jobs in one partition.
    pub(super) fn storage(&self, partition: QueueName, placement: String) -> Storage {
        Storage::new(
            self.redis.clone(),
            partition,
            placement,
            self.args.clone(),
            self.config.clone(),
            &self.tracker,
        )
    }

    /// The newest placement. Jobs whose time is over meanwhile are told. None if the process must stop.
    async fn newest(&self, back: &mut Vec<Submission>, last: &Placement) -> Option<Arc<Placement>> {
        let mut backoff = Backoff::default();
        loop {
            let newest = async {
                let newest = self.redis.newest_placement(&self.queue).await?;
                if newest.generation() > last.generation() {
                    return Ok(newest);
                }
                self.redis.restored_placement(&self.queue).await
            };
            match newest.await {
                Ok(placement) => return Some(placement),
                Err(error) if error.is_temporary() => {
                    if backoff.tries() == 0 {
                        warn!(queue = %self.queue, %error, "where jobs belong can't be read, trying again");
                    }
                }
                Err(error) => {
                    error!(queue = %self.queue, %error, jobs = back.len(), "jobs could not be stored");
                    refuse(back, &SubmitError::Refused);
                }
            }
            let pause = tokio::time::sleep(backoff.pause());
            self.config.hard.run_until_cancelled(pause).await?;
            self.refuse_late(back);
        }
    }

    /// Tells those whose time is over.
    fn refuse_late(&self, jobs: &mut Vec<Submission>) {
        let most = self.config.accept_timeout;
        let mut late: Vec<_> = jobs
            .extract_if(.., |job| job.at.elapsed() >= most)
            .collect();
        refuse(&mut late, &SubmitError::Unconfirmed);
    }

    /// Sends each job where it belongs, until some come back.
    async fn spread(
        &self,
        placement: &Arc<Placement>,
        mut waiting: Vec<Submission>,
        receiver: &mut mpsc::Receiver<Submission>,
    ) -> Next {
        let mut route = Route::new(self.redis.clone(), self.queue.clone(), placement);
        let mut lanes = Lanes::new(self, placement);
        let mut backoff = Backoff::default();
        let mut over = false;
        loop {
            let (known, rest) = route.find(waiting).await;
            waiting = rest;
            for (way, job) in known {
                lanes.send(way, job).await;
            }
            if over && waiting.is_empty() {
                break;
            }
            let pause = if waiting.is_empty() {
                backoff.reset();
                Duration::MAX
            } else {
                backoff.pause()
            };
            let has_room = waiting.len() < self.config.capacity;
            tokio::select! {
                biased;
                () = lanes.moved() => break,
                () = self.config.hard.cancelled() => {
                    refuse(&mut waiting, &SubmitError::Unconfirmed);
                    turn_away(receiver).await;
                    over = true;
                }
                many = receiver.recv_many(&mut waiting, TOGETHER), if has_room && !over => over = many == 0,
                () = tokio::time::sleep(pause), if !waiting.is_empty() => self.refuse_late(&mut waiting),
            }
        }
        let mut back = lanes.end().await;
        back.append(&mut waiting);
        // Of one topic they are in their order already, wherever it was.
        back.sort_by_key(|job| job.at);
        if over && back.is_empty() {
            Next::Over
        } else {
            Next::Back(back)
        }
    }
}

/// Takes no more jobs, and tells those that were handed in and went nowhere yet.
async fn turn_away(receiver: &mut mpsc::Receiver<Submission>) {
    receiver.close();
    while let Some(job) = receiver.recv().await {
        (job.done)(Err(SubmitError::Stopping));
    }
}
