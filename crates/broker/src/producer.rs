//! Stores jobs in batches: while one batch is on its way to Redis, the next collects.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use protocol::{Durability, InvalidJob, Job, JobId, QueueName};
use rand::RngExt as _;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tracing::{error, info, warn};

use crate::{
    Backoff, Error, Keys, QueueArgs, Receipt, Redis, Spans, SubmitError,
    batch::{self, Encoded},
    durable::Durable,
    receipt, roll,
    script::{self, ENQUEUE},
    span,
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
    pub(crate) id: JobId,
    pub(crate) job: Job,
    pub(crate) metadata: HashMap<String, String>,
    pub(crate) encoded: Encoded,
    pub(crate) done: Box<dyn FnOnce(Result<Receipt, SubmitError>) + Send + Sync>,
    at: Instant,
}

impl Submission {
    pub(crate) fn new(
        id: JobId,
        job: Job,
        metadata: HashMap<String, String>,
        done: impl FnOnce(Result<Receipt, SubmitError>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            id,
            encoded: Encoded::new(id, &job, &metadata),
            job,
            metadata,
            done: Box::new(done),
            at: Instant::now(),
        }
    }

    fn bytes(&self) -> usize {
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
        let keys = Keys::new(redis.prefix(), queue.clone());
        let durable = Durable::new(redis.clone(), config.durability, config.replicas);
        let (named, stop) = (Arc::<Notify>::default(), CancellationToken::new());
        tracker.spawn(keep_named(
            redis.clone(),
            queue.clone(),
            Arc::clone(&named),
            stop.clone(),
        ));
        let batcher = Batcher {
            redis,
            named,
            _stop: stop.drop_guard(),
            durable,
            keys,
            args,
            config,
            receiver,
            registered: false,
            down: false,
        };
        tracker.spawn(batcher.run());
        Self { queue, submissions }
    }

    /// The queue that jobs go to.
    pub const fn queue(&self) -> &QueueName {
        &self.queue
    }

    pub(crate) fn submissions(&self) -> mpsc::Sender<Submission> {
        self.submissions.clone()
    }

    /// A new id: now, by this machine's clock, and 80 random bits.
    pub fn new_id() -> JobId {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        JobId::from_parts(
            u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            rand::rng().random(),
        )
    }

    /// Hands a job in, in order with this task's others, and has `done` called once with what became of it. `done` runs on
    /// the storing task and must not block.
    pub async fn hand_in(
        &self,
        id: JobId,
        job: Job,
        done: impl FnOnce(Result<Receipt, SubmitError>) + Send + Sync + 'static,
    ) {
        if let Err(error) = valid(id, &job) {
            return done(Err(error.into()));
        }
        match self.submissions.reserve().await {
            Ok(place) => place.send(Submission::new(id, job, HashMap::new(), done)),
            Err(_) => done(Err(SubmitError::Stopping)),
        }
    }

    /// Stores one job under the given id, and waits until it is stored. Handing in the same id again is safe.
    pub async fn submit(&self, id: JobId, job: Job) -> Result<Receipt, SubmitError> {
        valid(id, &job)?;
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

struct Batcher {
    redis: Redis,
    durable: Durable,
    keys: Keys,
    args: QueueArgs,
    config: ProducerConfig,
    receiver: mpsc::Receiver<Submission>,
    /// Whether the queue's name is known to be on the roll of queues.
    registered: bool,
    /// Told when it is.
    named: Arc<Notify>,
    /// Ends the task that keeps it there.
    _stop: DropGuard,
    /// Whether Redis could not be reached last time; so that an outage is logged once.
    down: bool,
}

impl Batcher {
    async fn run(mut self) {
        let mut batch = Vec::with_capacity(self.config.max_batch);
        while let Some(first) = self.receiver.recv().await {
            let mut bytes = first.bytes();
            batch.push(first);
            while batch.len() < self.config.max_batch && bytes < self.config.max_batch_bytes {
                let Ok(next) = self.receiver.try_recv() else {
                    break;
                };
                bytes += next.bytes();
                batch.push(next);
            }
            let hard = self.config.hard.clone();
            if hard
                .run_until_cancelled(self.store(&mut batch))
                .await
                .is_none()
            {
                // It may have reached Redis all the same.
                refuse(&mut batch, &SubmitError::Unconfirmed);
            }
        }
    }

    /// Stores a batch, trying again until each job is stored or its time is over. Leaves the batch empty.
    async fn store(&mut self, batch: &mut Vec<Submission>) {
        let mut backoff = Backoff::default();
        loop {
            let timeout = self.config.accept_timeout;
            for late in batch.extract_if(.., |submission| submission.at.elapsed() >= timeout) {
                (late.done)(Err(SubmitError::Unconfirmed));
            }
            if batch.is_empty() {
                return;
            }
            match self.enqueue(batch).await {
                Ok(receipts) => {
                    if std::mem::take(&mut self.down) {
                        info!(queue = %self.keys.queue(), "jobs are stored again");
                    }
                    for (submission, receipt) in batch.drain(..).zip(receipts) {
                        (submission.done)(receipt);
                    }
                    return;
                }
                Err(error) if error.is_out_of_memory() => {
                    warn!(queue = %self.keys.queue(), "Redis' memory is full: jobs are refused");
                    return refuse(batch, &SubmitError::Full);
                }
                Err(error) if error.is_temporary() => {
                    if !std::mem::replace(&mut self.down, true) {
                        warn!(queue = %self.keys.queue(), %error, "jobs can't be stored now, trying again");
                    }
                    // Redis may come back empty.
                    self.registered = false;
                    tokio::time::sleep(backoff.pause()).await;
                }
                Err(error) => {
                    error!(queue = %self.keys.queue(), %error, jobs = batch.len(), "jobs could not be stored");
                    return refuse(batch, &SubmitError::Refused);
                }
            }
        }
    }

    async fn enqueue(
        &mut self,
        batch: &[Submission],
    ) -> Result<Vec<Result<Receipt, SubmitError>>, Error> {
        if !self.registered {
            roll::enter(&self.redis, self.keys.queue()).await?;
            self.registered = true;
            self.named.notify_one();
        }
        let mut call = script::invoke(&ENQUEUE, &self.keys, &self.args);
        call.arg(self.args.keep_key_secs.saturating_mul(1000))
            .arg(self.args.max_waiting)
            .arg(self.args.max_waiting_bytes);
        batch::write(&mut call, batch);
        let durability = self.durable.durability();
        let spans = span::enqueue(&self.config.spans, batch);
        let rows: Result<Vec<redis::Value>, Error> = self.durable.script(&call).await;
        let rows = rows.inspect_err(|error| span::not_stored(&spans, error))?;
        let mut epoch = String::new();
        batch
            .iter()
            .zip(rows)
            .map(|(submission, row)| receipt::read(submission.id, row, durability, &mut epoch))
            .collect()
    }
}

/// Keeps a queue on the roll once it is there.
async fn keep_named(redis: Redis, queue: QueueName, named: Arc<Notify>, stop: CancellationToken) {
    let keep = async {
        named.notified().await;
        roll::keep(&redis, &queue).await;
    };
    stop.run_until_cancelled(keep).await;
}

fn refuse(batch: &mut Vec<Submission>, why: &SubmitError) {
    for submission in batch.drain(..) {
        (submission.done)(Err(why.clone()));
    }
}
