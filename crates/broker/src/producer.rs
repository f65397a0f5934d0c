//! Hands jobs to the task that stores them in batches.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use protocol::{Durability, InvalidJob, Job, JobId, QueueName};
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    FreshId, NewId, QueueArgs, Receipt, Redis, Spans, SubmitError, batch::Encoded,
    partitions::Router,
};

/// How jobs are collected into batches.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// How long a job may take from being handed in to being confirmed before its submitter is told that it
    /// is not. Outages shorter than this are not seen by clients.
    pub accept_timeout: Duration,
    /// How many jobs may wait to be stored; more make the submitter wait.
    pub capacity: usize,
    /// How many jobs go in one batch.
    pub max_batch: usize,
    /// How many bytes of payload and announcement begin no further job in a batch.
    pub max_batch_bytes: usize,
    /// What is made sure of before a job is confirmed.
    pub durability: Durability,
    /// How many replicas must have it, for [`Durability::Replicated`].
    pub replicas: u32,
    /// When this is cancelled, what is not stored is not waited for any more.
    pub hard: CancellationToken,
    /// Whether round trips that store jobs have spans.
    pub spans: Spans,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            accept_timeout: Duration::from_secs(10),
            capacity: 1024,
            max_batch: 256,
            max_batch_bytes: 1024 * 1024,
            durability: Durability::Written,
            replicas: 1,
            hard: CancellationToken::new(),
            spans: Spans::default(),
        }
    }
}

/// A job on its way into the queue.
pub(crate) struct Submission {
    pub(crate) id: NewId,
    pub(crate) job: Job,
    pub(crate) metadata: HashMap<String, String>,
    pub(crate) encoded: Encoded,
    pub(crate) done: Box<dyn FnOnce(Result<Receipt, SubmitError>) + Send + Sync>,
    /// When it was handed in.
    pub(crate) at: Instant,
}

impl Submission {
    pub(crate) fn new(
        id: NewId,
        job: Job,
        metadata: HashMap<String, String>,
        done: impl FnOnce(Result<Receipt, SubmitError>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            encoded: Encoded::new(&id, &job, &metadata),
            id,
            job,
            metadata,
            done: Box::new(done),
            at: Instant::now(),
        }
    }

    /// About how many bytes of a batch it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.job.payload.get().len()
            + self
                .job
                .options
                .announce
                .as_ref()
                .map_or(0, |value| value.get().len())
    }
}

/// Hands jobs to the task that stores them. The task ends when the last clone is gone and all is stored.
#[derive(Clone)]
pub struct Producer {
    queue: QueueName,
    submissions: mpsc::Sender<Submission>,
}

impl Producer {
    /// Starts the storing task of a queue.
    pub fn spawn(
        redis: Redis,
        queue: QueueName,
        args: QueueArgs,
        config: ProducerConfig,
        tracker: &TaskTracker,
    ) -> Self {
        let (submissions, receiver) = mpsc::channel(config.capacity);
        let router = Router {
            redis,
            queue: queue.clone(),
            args,
            config,
            tracker: tracker.clone(),
        };
        tracker.spawn(router.run(receiver));
        Self { queue, submissions }
    }

    /// The queue that jobs go to.
    pub const fn queue(&self) -> &QueueName {
        &self.queue
    }

    pub(crate) fn submissions(&self) -> mpsc::Sender<Submission> {
        self.submissions.clone()
    }

    /// A new id, under which a job may be handed in more than once.
    pub fn new_id() -> JobId {
        FreshId::new().get()
    }

    /// Hands a job in, in order with this task's others, and has `done` called once with what became of it. `done` runs on
    /// the storing task and must not block.
    pub async fn hand_in(
        &self,
        id: impl Into<NewId> + Send,
        job: Job,
        done: impl FnOnce(Result<Receipt, SubmitError>) + Send + Sync + 'static,
    ) {
        let id = id.into();
        if let Err(error) = valid(id.get(), &job) {
            return done(Err(error.into()));
        }
        match self.submissions.reserve().await {
            Ok(place) => place.send(Submission::new(id, job, HashMap::new(), done)),
            Err(_) => done(Err(SubmitError::Stopping)),
        }
    }

    /// Stores one job under the given id, and waits until it is stored. Handing in the same [`JobId`] again is safe.
    pub async fn submit(
        &self,
        id: impl Into<NewId> + Send,
        job: Job,
    ) -> Result<Receipt, SubmitError> {
        let id = id.into();
        valid(id.get(), &job)?;
        let (done, receipt) = oneshot::channel();
        // A submitter that went away does not want to hear.
        let submission = Submission::new(id, job, HashMap::new(), |result| drop(done.send(result)));
        self.submissions
            .send(submission)
            .await
            .map_err(|_| SubmitError::Stopping)?;
        receipt.await.unwrap_or(Err(SubmitError::Stopping))
    }
}

/// What is wrong with a job of this id, if anything. The channel of a job is its own: it says itself where its log is.
pub(crate) fn valid(id: JobId, job: &Job) -> Result<(), InvalidJob> {
    let topic = job.options.topic.as_ref();
    let other = topic.and_then(|topic| topic.as_str().parse::<JobId>().ok());
    if other.is_some_and(|other| other != id) {
        return Err(InvalidJob::Topic);
    }
    job.validate()
}
