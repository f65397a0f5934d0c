//! Keeps a worker alive in Redis' eyes: renews its leases, is its entry in the registry, and listens to what it is told.
//!
//! It runs on a thread, a runtime and connections of its own, so that a handler which blocks all threads of the
//! worker's runtime can't cost it its leases. An attempt that is over its time is not renewed any more.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use protocol::JobId;
use tokio::sync::{Notify, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, error, info, warn};

use crate::{
    Backoff, Error, Keys, Redis, StopReason, WorkerCard, beat::Beat, call::Link, lease::Leases,
    ready::Voice, roll,
};

/// How many leases one call renews.
const BATCH: usize = 256;
/// How long a look into the inbox blocks. It also bounds how long a dead connection goes unnoticed.
const BLOCK: Duration = Duration::from_secs(10);
/// How long saying goodbye may take: who is away counts as dead soon anyway.
const FAREWELL: Duration = Duration::from_secs(1);

pub(crate) struct Keeper {
    pub(crate) redis: Redis,
    pub(crate) keys: Keys,
    pub(crate) worker: String,
    pub(crate) lease: Duration,
    pub(crate) card: WorkerCard,
    /// The kinds that the worker has, as scripts read them.
    pub(crate) kinds: String,
    pub(crate) leases: Arc<Leases>,
    /// Tells the worker that there may be something to take.
    pub(crate) look: Arc<Notify>,
    /// Whether Redis answers.
    pub(crate) ready: Arc<Voice>,
    /// The first keeps what is known of the others.
    pub(crate) is_first: bool,
    /// Told when the queue may have been split.
    pub(crate) split: Notify,
    /// Cancelled when the worker has settled everything.
    pub(crate) over: CancellationToken,
}

impl Keeper {
    /// Starts the thread; the tracker waits for its end.
    pub(crate) fn start(mut self, tracker: &TaskTracker) {
        self.redis = self.redis.separate();
        let (ended, end) = oneshot::channel::<()>();
        let name = self.worker.clone();
        let started = std::thread::Builder::new()
            .name("leases".to_owned())
            .spawn(move || {
                if let Err(error) = self.block() {
                    error!(%error, "leases can't be renewed: a runtime can't be made");
                }
                drop(ended);
            });
        match started {
            Ok(_) => drop(tracker.spawn(async move {
                let _ = end.await;
            })),
            Err(error) => {
                error!(worker = name, %error, "leases can't be renewed: a thread can't be made");
            }
        }
    }

    fn block(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let over = self.over.clone();
        runtime.block_on(async {
            let all = async {
                tokio::join!(self.beats(), self.listen(), self.enrol(), self.look_again());
            };
            over.run_until_cancelled(Box::pin(all)).await;
            let farewell = tokio::time::timeout(FAREWELL, self.beat(&[], true));
            if farewell.await.is_err() {
                debug!(worker = self.worker, "no goodbye: Redis does not answer");
            }
        });
        Ok(())
    }

    /// A beat three times in a lease. While Redis is away nothing is cancelled: if nobody took a job meanwhile, its
    /// result is still good.
    async fn beats(&self) {
        let mut silent = false;
        loop {
            let result = self.beat_once().await;
            if let Err(error) = &result {
                debug!(%error, "leases not renewed");
            }
            if result.is_err() != silent {
                silent = result.is_err();
                self.ready.set(!silent);
            }
            tokio::time::sleep(self.lease / 3).await;
        }
    }

    async fn beat_once(&self) -> Result<(), Error> {
        let held = self.leases.to_renew(Instant::now());
        // One beat even without a lease.
        let empty: &[(JobId, u32)] = &[];
        let batches = std::iter::once(empty)
            .filter(|_| held.is_empty())
            .chain(held.chunks(BATCH));
        for batch in batches {
            let (lost, cancelled) = self.beat(batch, false).await?;
            for (ids, why) in [
                (lost, StopReason::LeaseLost),
                (cancelled, StopReason::Cancelled),
            ] {
                for id in ids.iter().filter_map(|id| id.parse::<JobId>().ok()) {
                    let held = batch.iter().find(|(held, _)| *held == id);
                    if let Some((_, attempt)) = held {
                        self.stop(id, *attempt, why);
                    }
                }
            }
        }
        Ok(())
    }

    async fn beat(
        &self,
        batch: &[(JobId, u32)],
        leaving: bool,
    ) -> Result<(Vec<String>, Vec<String>), Error> {
        let card = WorkerCard {
            active: u32::try_from(self.leases.count()).unwrap_or(u32::MAX),
            ..self.card.clone()
        };
        let beat = Beat {
            worker: &self.worker,
            lease_ms: u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX),
            leaving,
            about: &serde_json::to_string(&card).expect("names and numbers are always JSON"),
            kinds: &self.kinds,
            held: batch,
        };
        beat.run(&self.redis, &self.keys).await
    }

    fn stop(&self, id: JobId, attempt: u32, why: StopReason) {
        if !self.leases.stop(id, attempt, why) {
            return;
        }
        if why == StopReason::LeaseLost {
            warn!(job = %id, attempt, "lease lost: the attempt is told to end");
        } else {
            info!(job = %id, attempt, "cancellation asked for: the attempt is told to end");
        }
    }

    /// Has the queue on the roll: a queue with a worker is one, also before its first job.
    async fn enrol(&self) {
        let queue = self.keys.queue();
        if let Err(error) = roll::enter(&self.redis, queue).await {
            debug!(%queue, %error, "not on the roll of queues yet");
        }
        if self.is_first {
            roll::keep_with_partitions(&self.redis, queue).await;
        } else {
            roll::keep(&self.redis, queue).await;
        }
    }

    /// Reads where the queue's topics are whenever that may have changed; who starts claims for the partitions is told.
    async fn look_again(&self) {
        let queue = self.keys.queue();
        let mut backoff = Backoff::default();
        loop {
            self.split.notified().await;
            while let Err(error) = self.redis.newest_placement(queue).await {
                debug!(%queue, %error, "the partitions can't be read");
                tokio::time::sleep(backoff.pause()).await;
            }
            backoff.reset();
        }
    }

    /// Reads the inbox for ever. A message that is lost with its connection is made good by the next beat.
    async fn listen(&self) {
        let inbox = self.keys.inbox(&self.worker);
        let mut connection = None;
        let mut backoff = Backoff::default();
        loop {
            match self.pop(&inbox, &mut connection, backoff.tries() > 0).await {
                Ok(message) => {
                    backoff.reset();
                    if let Some(message) = message {
                        self.obey(&message);
                    }
                }
                Err(error) => {
                    debug!(%error, "the inbox can't be read");
                    connection = None;
                    tokio::time::sleep(backoff.pause()).await;
                }
            }
        }
    }

    async fn pop(
        &self,
        inbox: &str,
        connection: &mut Option<Link>,
        again: bool,
    ) -> Result<Option<String>, Error> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(self.redis.dedicated(inbox, BLOCK, again).await?),
        };
        let mut cmd = redis::cmd("BLPOP");
        cmd.arg(inbox).arg(BLOCK.as_secs());
        let popped: Option<(String, String)> =
            connection.query(&cmd).await.map_err(Error::Command)?;
        Ok(popped.map(|(_, message)| message))
    }

    fn obey(&self, message: &str) {
        let words: Vec<&str> = message.split(' ').collect();
        match *words {
            ["look"] => self.look.notify_one(),
            ["partitions"] if self.is_first => self.split.notify_one(),
            ["cancel", id, attempt] => {
                if let (Ok(id), Ok(attempt)) = (id.parse(), attempt.parse()) {
                    self.stop(id, attempt, StopReason::Cancelled);
                }
            }
            // A newer program may say more.
            _ => debug!(message, "a message that is not understood"),
        }
    }
}
