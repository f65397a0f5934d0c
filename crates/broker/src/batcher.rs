//! The task that stores the jobs of a queue: while one batch is on its way to Redis, the next collects.

use tokio::sync::mpsc;

use crate::{
    producer::Submission,
    storage::{Batch, Storage, Stored},
};

/// Collects jobs into batches. One at a time is on its way, since jobs have an order; what can be done for the one before
/// and the one after it is done meanwhile.
pub(crate) struct Batcher {
    receiver: mpsc::Receiver<Submission>,
    storage: Storage,
    bounds: Bounds,
}

/// Of a batch.
#[derive(Clone, Copy)]
struct Bounds {
    jobs: usize,
    /// What begins no further job.
    bytes: usize,
}

/// What goes next.
#[derive(Default)]
struct Next {
    jobs: Vec<Submission>,
    bytes: usize,
    /// What Redis will be asked, once no further job fits.
    batch: Option<Batch>,
}

impl Next {
    fn push(&mut self, job: Submission) {
        self.bytes += job.bytes();
        self.jobs.push(job);
    }

    const fn has_room(&self, bounds: Bounds) -> bool {
        self.jobs.len() < bounds.jobs && self.bytes < bounds.bytes
    }

    /// Takes what is there.
    fn collect(&mut self, receiver: &mut mpsc::Receiver<Submission>, bounds: Bounds) {
        while self.has_room(bounds)
            && let Ok(job) = receiver.try_recv()
        {
            self.push(job);
        }
    }
}

impl Batcher {
    pub(crate) const fn new(storage: Storage, receiver: mpsc::Receiver<Submission>) -> Self {
        let (jobs, bytes) = storage.bounds();
        Self {
            receiver,
            storage,
            bounds: Bounds { jobs, bytes },
        }
    }

    /// Gives back what it collects from.
    pub(crate) fn into_receiver(self) -> mpsc::Receiver<Submission> {
        self.receiver
    }

    /// Until nobody hands in any more and all is stored, or until jobs have to go elsewhere: gives those, with what was
    /// to follow them, in their order.
    pub(crate) async fn run(&mut self) -> Vec<Submission> {
        let mut next = Next::default();
        let mut last: Option<Stored> = None;
        loop {
            next.collect(&mut self.receiver, self.bounds);
            if next.jobs.is_empty() {
                if let Some(stored) = last.take() {
                    stored.tell();
                }
                let Some(first) = self.receiver.recv().await else {
                    return Vec::new();
                };
                next.push(first);
                next.collect(&mut self.receiver, self.bounds);
            }
            let Next { jobs, batch, .. } = std::mem::take(&mut next);
            let writer = self.storage.writer();
            let batch = batch.unwrap_or_else(|| writer.batch(&jobs));
            let meanwhile = async {
                if let Some(stored) = last.take() {
                    stored.tell();
                }
                next.collect(&mut self.receiver, self.bounds);
                if !next.has_room(self.bounds) {
                    next.batch = Some(writer.batch(&next.jobs));
                }
            };
            (last, ()) = tokio::join!(biased; self.storage.store(jobs, batch), meanwhile);
            let mut moved = last.as_mut().map_or_else(Vec::new, Stored::take_moved);
            if !moved.is_empty() {
                if let Some(stored) = last {
                    stored.tell();
                }
                moved.append(&mut next.jobs);
                return moved;
            }
        }
    }
}
