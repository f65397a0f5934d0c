//! The consuming half of a backend: a driver and a keeper for each partition of its queue, which share its capacity.
//!
//! A queue that is not split is its first partition, which waits for nothing. The others begin once it is known that they
//! may have jobs, also while the worker runs, and end with it.

use std::{convert::Infallible, sync::Arc};

use protocol::QueueName;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::{
    Backoff, ConsumerConfig, Keys, QueueArgs, Redis, buffer::Buffer, driver::Driver,
    keeper::Keeper, lease::Leases, partition_name, ready::Ready, registry, shares::Shares,
};

/// Where its tasks come out.
pub(crate) struct Source {
    pub(crate) buffer: Arc<Buffer>,
    /// Cancelled when no attempt runs any more and none will begin.
    pub(crate) closing: CancellationToken,
    /// Ends when all drivers have.
    pub(crate) ended: oneshot::Receiver<Infallible>,
}

pub(crate) struct Consumer {
    redis: Redis,
    queue: QueueName,
    args: QueueArgs,
    config: ConsumerConfig,
    buffer: Arc<Buffer>,
    shares: Arc<Shares>,
    ready: Ready,
    closing: CancellationToken,
    /// Dropped by the last that has it.
    alive: Arc<oneshot::Sender<Infallible>>,
}

impl Consumer {
    pub(crate) fn start(
        redis: Redis,
        queue: QueueName,
        args: QueueArgs,
        config: ConsumerConfig,
    ) -> Source {
        let (alive, ended) = oneshot::channel();
        let consumer = Self {
            redis,
            queue,
            args,
            buffer: Arc::default(),
            shares: Shares::new(config.capacity),
            ready: Ready::new(config.ready.clone()),
            closing: CancellationToken::new(),
            alive: Arc::new(alive),
            config,
        };
        let source = Source {
            buffer: Arc::clone(&consumer.buffer),
            closing: consumer.closing.clone(),
            ended,
        };
        consumer.begin(0, consumer.queue.clone());
        let tracker = consumer.config.tracker.clone();
        tracker.spawn(consumer.follow());
        source
    }

    /// Begins with each further partition, until the worker stops.
    async fn follow(self) {
        tokio::select! {
            () = self.grow() => {}
            () = self.closing.cancelled() => {}
            () = self.config.soft.cancelled() => {}
            () = self.config.hard.cancelled() => {}
        }
    }

    fn is_stopping(&self) -> bool {
        [&self.closing, &self.config.soft, &self.config.hard]
            .into_iter()
            .any(CancellationToken::is_cancelled)
    }

    async fn grow(&self) {
        let mut changes = self.redis.partitions().changes();
        let mut backoff = Backoff::default();
        let mut begun = 1;
        loop {
            // What changes from here on is seen, if not now then in the next turn.
            changes.mark_unchanged();
            let held = match self.redis.placement(&self.queue).await {
                Ok(placement) => placement.held(),
                Err(error) => {
                    debug!(queue = %self.queue, %error, "the partitions can't be read");
                    tokio::time::sleep(backoff.pause()).await;
                    continue;
                }
            };
            backoff.reset();
            while begun < held && !self.is_stopping() {
                match partition_name(&self.queue, begun) {
                    Ok(name) => self.begin(begun, name),
                    // Nothing can be there: who produces can't name it either.
                    Err(error) => error!(queue = %self.queue, begun, %error, "no such partition"),
                }
                begun += 1;
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Starts the driver of a partition, and the keeper of its leases.
    fn begin(&self, partition: u16, name: QueueName) {
        let mut config = self.config.clone();
        if partition > 0 {
            debug!(queue = %self.queue, partition, "one more partition");
            config.pulse = config.pulse.beside();
        }
        let (ops_sender, ops) = mpsc::channel(config.capacity.saturating_mul(2).clamp(16, 4096));
        let leases = Arc::<Leases>::default();
        let keys = Keys::new(self.redis.prefix(), name);
        let over = CancellationToken::new();
        let look = Arc::<Notify>::default();
        let kinds = registry::words(&config.kinds);
        let ready = self.ready.voice();
        let tracker = config.tracker.clone();
        Keeper {
            redis: self.redis.clone(),
            keys: keys.clone(),
            worker: config.worker.clone(),
            lease: config.lease,
            card: config.card.clone(),
            kinds: kinds.clone(),
            leases: Arc::clone(&leases),
            look: Arc::clone(&look),
            ready: Arc::clone(&ready),
            is_first: partition == 0,
            split: Notify::new(),
            over: over.clone(),
        }
        .start(&tracker);
        let driver = Driver {
            redis: self.redis.clone(),
            queue: self.queue.clone(),
            partition,
            keys,
            args: self.args.clone(),
            ops,
            ops_sender,
            buffer: Arc::clone(&self.buffer),
            leases,
            share: Arc::new(self.shares.join()),
            ready,
            kinds,
            look,
            closing: self.closing.clone(),
            config,
        };
        // Whatever ends the driver, its leases are not kept any longer.
        let over = over.drop_guard();
        let alive = Arc::clone(&self.alive);
        tracker.spawn(async move {
            driver.run().await;
            drop(over);
            drop(alive);
        });
    }
}
