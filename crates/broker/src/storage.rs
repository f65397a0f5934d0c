//! Stores batches of jobs in Redis, in one partition.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use protocol::{Durability, QueueName};
use tokio::sync::Notify;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tracing::{error, info, warn};

use crate::{
    Backoff, Error, FreshId, Keys, ProducerConfig, QueueArgs, Redis, SubmitError,
    batch::{self, BatchName},
    call::Call,
    durable::Durable,
    producer::Submission,
    receipt, roll,
    script::{self, ENQUEUE},
    span,
};

/// Where the batches of one queue, or of one partition of it, go, one after the other.
pub(crate) struct Storage {
    redis: Redis,
    durable: Durable,
    writer: Arc<Writer>,
    config: ProducerConfig,
    /// Whether the queue's name is known to be on the roll of queues.
    registered: bool,
    /// Told when it is.
    named: Arc<Notify>,
    /// Ends the task that keeps it there.
    _stop: DropGuard,
    /// Whether Redis could not be reached last time; so that an outage is logged once.
    down: bool,
    /// The latest batch of which it is not known what became of it.
    unknown: Option<u64>,
    /// Up to which number Redis was told to refuse batches.
    refused_to: u64,
}

/// Writes down what Redis is asked to store.
pub(crate) struct Writer {
    keys: Keys,
    args: QueueArgs,
    /// By which placement jobs come here, as scripts read it.
    placement: String,
    /// A name of its own, with which its batches are numbered.
    sender: String,
    batches: AtomicU64,
}

/// What Redis is asked to store.
pub(crate) struct Batch {
    number: u64,
    call: Call<'static>,
}

impl Writer {
    pub(crate) fn batch(&self, jobs: &[Submission]) -> Batch {
        self.write(jobs, None)
    }

    /// The same after a batch of which it is not known what became of it: it may still come, and is refused then.
    fn write(&self, jobs: &[Submission], unknown: Option<u64>) -> Batch {
        let number = self.batches.fetch_add(1, Ordering::Relaxed);
        let mut call = script::invoke(&ENQUEUE, &self.keys, &self.args);
        call.arg(self.args.keep_key_secs.saturating_mul(1000))
            .arg(self.args.max_waiting)
            .arg(self.args.max_waiting_bytes)
            .arg(&self.placement);
        let name = BatchName {
            sender: &self.sender,
            number,
            stands_for: unknown,
        };
        batch::write(&mut call, jobs, &name);
        Batch { number, call }
    }
}

/// What a script answers about a job that has to go elsewhere.
const ELSEWHERE: redis::Value = redis::Value::Int(-1);

/// Jobs that are stored, and what Redis answered about each. Their submitters do not know yet.
pub(crate) struct Stored {
    jobs: Vec<Submission>,
    rows: Vec<redis::Value>,
    writer: Arc<Writer>,
    durability: Durability,
}

impl Stored {
    /// Takes out those that have to go elsewhere: the queue was split, or is split otherwise.
    pub(crate) fn take_moved(&mut self) -> Vec<Submission> {
        if !self.rows.contains(&ELSEWHERE) {
            return Vec::new();
        }
        let (mut moved, mut stored) = (Vec::new(), Vec::new());
        let rows = std::mem::take(&mut self.rows);
        for (job, row) in std::mem::take(&mut self.jobs).into_iter().zip(rows) {
            if row == ELSEWHERE {
                moved.push(job);
            } else {
                stored.push(job);
                self.rows.push(row);
            }
        }
        self.jobs = stored;
        moved
    }

    /// Tells each submitter.
    pub(crate) fn tell(self) {
        let Self {
            mut jobs,
            rows,
            writer,
            durability,
        } = self;
        let mut epoch = String::new();
        let receipts: Result<Vec<_>, Error> = jobs
            .iter()
            .zip(rows)
            .map(|(job, row)| receipt::read(job.id.get(), row, durability, &mut epoch))
            .collect();
        match receipts {
            Ok(receipts) => {
                for (job, receipt) in jobs.into_iter().zip(receipts) {
                    (job.done)(receipt);
                }
            }
            Err(error) => {
                let queue = writer.keys.queue();
                error!(%queue, %error, jobs = jobs.len(), "jobs could not be stored");
                refuse(&mut jobs, &SubmitError::Refused);
            }
        }
    }
}

impl Storage {
    pub(crate) fn new(
        redis: Redis,
        queue: QueueName,
        placement: String,
        args: QueueArgs,
        config: ProducerConfig,
        tracker: &TaskTracker,
    ) -> Self {
        let (named, stop) = (Arc::<Notify>::default(), CancellationToken::new());
        tracker.spawn(keep_named(
            redis.clone(),
            queue.clone(),
            Arc::clone(&named),
            stop.clone(),
        ));
        let keys = Keys::new(redis.prefix(), queue);
        Self {
            durable: Durable::new(redis.clone(), config.durability, config.replicas),
            writer: Arc::new(Writer {
                keys,
                args,
                placement,
                sender: FreshId::new().get().to_string(),
                batches: AtomicU64::new(1),
            }),
            redis,
            config,
            registered: false,
            named,
            _stop: stop.drop_guard(),
            down: false,
            unknown: None,
            refused_to: 0,
        }
    }

    /// For what is to be stored next, while something is.
    pub(crate) fn writer(&self) -> Arc<Writer> {
        Arc::clone(&self.writer)
    }

    /// How many jobs a batch has at most, and after how many bytes it has no further one.
    pub(crate) const fn bounds(&self) -> (usize, usize) {
        (self.config.max_batch, self.config.max_batch_bytes)
    }

    fn queue(&self) -> &QueueName {
        self.writer.keys.queue()
    }

    /// Stores jobs; `batch` is what the [`Writer`] wrote of them. Who is not stored is told; the others learn it from what is
    /// given, if there are any.
    pub(crate) async fn store(
        &mut self,
        mut jobs: Vec<Submission>,
        batch: Batch,
    ) -> Option<Stored> {
        let hard = self.config.hard.clone();
        let stored = hard.run_until_cancelled(self.try_until_stored(&mut jobs, batch));
        let Some(rows) = stored.await else {
            // They may have reached Redis all the same.
            refuse(&mut jobs, &SubmitError::Unconfirmed);
            return None;
        };
        Some(Stored {
            jobs,
            rows: rows?,
            writer: self.writer(),
            durability: self.durable.durability(),
        })
    }

    /// Tries again until each job is stored or its time is over. Those that are not are told, and not in `jobs` any more.
    async fn try_until_stored(
        &mut self,
        jobs: &mut Vec<Submission>,
        mut batch: Batch,
    ) -> Option<Vec<redis::Value>> {
        let mut backoff = Backoff::default();
        loop {
            let (timeout, before) = (self.config.accept_timeout, jobs.len());
            for late in jobs.extract_if(.., |job| job.at.elapsed() >= timeout) {
                (late.done)(Err(SubmitError::Unconfirmed));
            }
            if jobs.is_empty() {
                return None;
            }
            self.refused_to = self.unknown.unwrap_or(self.refused_to);
            if jobs.len() < before || self.unknown.is_some() || batch.number <= self.refused_to {
                batch = self.writer.write(jobs, self.unknown);
            }
            // Should it be given up meanwhile.
            let unknown = self.unknown.replace(batch.number);
            let stored = self.enqueue(jobs, &batch.call).await;
            match stored {
                Ok(rows) => {
                    self.unknown = None;
                    if std::mem::take(&mut self.down) {
                        info!(queue = %self.queue(), "jobs are stored again");
                    }
                    return Some(rows);
                }
                Err(error) if error.is_out_of_memory() => {
                    self.unknown = unknown;
                    warn!(queue = %self.queue(), "Redis' memory is full: jobs are refused");
                    refuse(jobs, &SubmitError::Full);
                    return None;
                }
                Err(error) if error.is_temporary() => {
                    if !std::mem::replace(&mut self.down, true) {
                        warn!(queue = %self.queue(), %error, "jobs can't be stored now, trying again");
                    }
                    // Redis may come back empty.
                    self.registered = false;
                    tokio::time::sleep(backoff.pause()).await;
                }
                Err(error) => {
                    error!(queue = %self.queue(), %error, jobs = jobs.len(), "jobs could not be stored");
                    refuse(jobs, &SubmitError::Refused);
                    return None;
                }
            }
        }
    }

    async fn enqueue(
        &mut self,
        jobs: &[Submission],
        call: &Call<'_>,
    ) -> Result<Vec<redis::Value>, Error> {
        if !self.registered {
            roll::enter(&self.redis, self.queue()).await?;
            self.registered = true;
            self.named.notify_one();
        }
        let spans = span::enqueue(&self.config.spans, jobs);
        let rows = self.durable.script(call).await;
        let rows = rows.and_then(|rows: Vec<redis::Value>| {
            let answered = rows.len() == jobs.len();
            let why = || Error::Stored(format!("{} answers for {} jobs", rows.len(), jobs.len()));
            if answered { Ok(rows) } else { Err(why()) }
        });
        rows.inspect_err(|error| span::not_stored(&spans, error))
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

/// Tells submitters that their jobs are not taken.
pub(crate) fn refuse(jobs: &mut Vec<Submission>, why: &SubmitError) {
    for job in jobs.drain(..) {
        (job.done)(Err(why.clone()));
    }
}
