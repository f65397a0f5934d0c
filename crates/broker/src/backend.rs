//! The apalis backend: a source of claimed jobs for workers, and a sink for those who submit.
//!
//! It never returns an error from a poll, since that ends an apalis worker: the driver behind it reconnects instead.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::Task,
    worker::context::WorkerContext,
};
use protocol::{Job, Kind};
use tokio::sync::watch;
use tokio_util::{
    sync::{CancellationToken, PollSender},
    task::TaskTracker,
};

use crate::{
    AckLayer, Producer, Pulse, QueueArgs, Redis, Spans, SubmitError, WorkerCard,
    consumer::{Consumer, Source},
    producer::Submission,
    sink::Pending,
};

/// How a worker consumes.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// The worker's name in Redis. It must be unique per start: leases are fenced by it.
    pub worker: String,
    /// How many jobs it holds at a time: those that run and those that it took ahead.
    pub capacity: usize,
    /// How long Redis believes that it is alive without a renewal.
    pub lease: Duration,
    /// No more jobs are taken when this is cancelled; what was taken ahead is handed back.
    pub soft: CancellationToken,
    /// What still runs when this is cancelled is handed back.
    pub hard: CancellationToken,
    /// How long an attempt may take whose job says nothing about it.
    pub attempt_timeout: Option<Duration>,
    /// How long an attempt that should end may take to do so before it is abandoned.
    pub cancel_grace: Duration,
    /// The kinds that it has handlers for; others are left to those who have them. None means all.
    pub kinds: Vec<Kind>,
    /// What it says of itself.
    pub card: WorkerCard,
    /// Where the worker's tasks are accounted for.
    pub tracker: TaskTracker,
    /// Whether Redis answered last.
    pub ready: watch::Sender<bool>,
    /// Whether the claim loop turns.
    pub pulse: Pulse,
    /// Which attempts have spans.
    pub spans: Spans,
}

impl ConsumerConfig {
    /// A worker of this name that runs one job at a time with a lease of 10 s, takes every kind, and ends with the
    /// given token. It is not accounted for anywhere until its tracker is.
    pub fn new(worker: impl Into<String>, hard: CancellationToken) -> Self {
        Self {
            worker: worker.into(),
            capacity: 1,
            lease: Duration::from_secs(10),
            soft: hard.child_token(),
            hard,
            attempt_timeout: None,
            cancel_grace: Duration::from_secs(5),
            kinds: Vec::new(),
            card: WorkerCard::default(),
            tracker: TaskTracker::new(),
            ready: watch::Sender::new(false),
            pulse: Pulse::default(),
            spans: Spans::default(),
        }
    }
}

/// A queue on Redis as an apalis backend. A clone has a sink of its own; consuming starts when apalis builds a
/// worker from it.
pub struct RedisBackend {
    redis: Redis,
    args: QueueArgs,
    producer: Producer,
    pub(crate) sender: PollSender<Submission>,
    pub(crate) pending: Arc<Pending>,
    consumer: Option<ConsumerConfig>,
    source: Option<Source>,
}

impl RedisBackend {
    /// A backend that submits through a producer and consumes nothing.
    pub fn new(redis: Redis, args: QueueArgs, producer: Producer) -> Self {
        let sender = PollSender::new(producer.submissions());
        Self {
            redis,
            args,
            producer,
            sender,
            pending: Arc::default(),
            consumer: None,
            source: None,
        }
    }

    /// Makes a worker's backend of it.
    #[must_use]
    pub fn consuming(mut self, config: ConsumerConfig) -> Self {
        self.consumer = Some(config);
        self
    }

    /// Starts to claim.
    fn start(&mut self) {
        self.source = self.consumer.clone().map(|config| {
            let queue = self.producer.queue().clone();
            Consumer::start(self.redis.clone(), queue, self.args.clone(), config)
        });
    }
}

impl Clone for RedisBackend {
    fn clone(&self) -> Self {
        let clone = Self::new(self.redis.clone(), self.args.clone(), self.producer.clone());
        Self {
            consumer: self.consumer.clone(),
            ..clone
        }
    }
}

impl fmt::Debug for RedisBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBackend")
            .field("queue", self.producer.queue())
            .finish_non_exhaustive()
    }
}

impl Backend for RedisBackend {
    type Task = Task<Job>;
    type Error = SubmitError;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), SubmitError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Task<Job>, SubmitError>>> {
        match &self.source {
            Some(source) => source.buffer.poll_pop(cx).map(|task| Some(Ok(task))),
            None => Poll::Ready(None),
        }
    }

    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), SubmitError>> {
        let Some(source) = &mut self.source else {
            return Poll::Ready(Ok(()));
        };
        source.closing.cancel();
        // It ends by being dropped: the drivers have written everything.
        Pin::new(&mut source.ended).poll(cx).map(|_| Ok(()))
    }
}

impl BackendConfig for RedisBackend {
    type Args = Job;
    type Id = String;
    type Kind = Ephemeral;
    type Config = Option<ConsumerConfig>;
    type Layer = AckLayer;

    fn config(&self) -> &Option<ConsumerConfig> {
        &self.consumer
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> AckLayer {
        self.start();
        let (hard, grace, spans) = self
            .consumer
            .as_ref()
            .map(|config| (config.hard.clone(), config.cancel_grace, config.spans))
            .unwrap_or_default();
        AckLayer::new(hard, grace, spans)
    }
}
