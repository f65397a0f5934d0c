//! The task that publishes what is handed in, in batches of one script a namespace.
//!
//! One batch is under way at a time, which keeps the order in each room. A batch whose answer was lost is sent again
//! as it was: Redis knows the sender's latest one, and publishes it once.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rand::RngExt as _;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use super::{History, PublishError, RoomsConfig};
use crate::{Backoff, Error, Feed, Position, Redis, script};

/// How long an idempotency key is kept.
const KEEP_KEY: Duration = Duration::from_secs(300);
/// How long the answer to a batch is kept beyond the time in which it may be sent again.
const KEEP_ANSWER: Duration = Duration::from_secs(60);

/// Something to be published.
pub(super) struct Item {
    pub(super) feed: Feed,
    /// Its JSON; empty to open the room's log only.
    pub(super) event: String,
    pub(super) history: Option<History>,
    /// Empty means none.
    pub(super) key: String,
    /// Who waits; taken once answered.
    pub(super) done: Option<oneshot::Sender<Result<Position, PublishError>>>,
    pub(super) at: Instant,
}

impl Item {
    fn answer(&mut self, result: Result<Position, PublishError>) {
        if let Some(done) = self.done.take() {
            // A publisher that went away does not want to hear.
            drop(done.send(result));
        }
    }
}

pub(super) struct Batcher {
    redis: Redis,
    config: RoomsConfig,
    receiver: mpsc::Receiver<Item>,
    /// Which sender this is, among all that ever were.
    sender: String,
    batches: u64,
    /// Whether Redis could not be reached last time; so that an outage is logged once.
    down: AtomicBool,
}

impl Batcher {
    pub(super) fn new(redis: Redis, config: RoomsConfig, receiver: mpsc::Receiver<Item>) -> Self {
        Self {
            redis,
            config,
            receiver,
            sender: format!("{:016x}", rand::rng().random::<u64>()),
            batches: 0,
            down: AtomicBool::new(false),
        }
    }

    pub(super) async fn run(mut self) {
        while let Some(first) = self.receiver.recv().await {
            self.batches += 1;
            let (mut count, mut bytes) = (1, first.event.len());
            // By namespace: a script sees one slot.
            let mut groups = vec![vec![first]];
            while count < self.config.max_batch && bytes < self.config.max_batch_bytes {
                let Ok(next) = self.receiver.try_recv() else {
                    break;
                };
                count += 1;
                bytes += next.event.len();
                let same = |group: &&mut Vec<Item>| group[0].feed.base() == next.feed.base();
                match groups.iter_mut().find(same) {
                    Some(group) => group.push(next),
                    None => groups.push(vec![next]),
                }
            }
            let hard = self.config.hard.clone();
            let publishing = join_all(groups.iter_mut().map(|group| self.publish(group)));
            if hard.run_until_cancelled(publishing).await.is_none() {
                // It may have reached Redis all the same.
                for group in &mut groups {
                    refuse(group, PublishError::Unconfirmed);
                }
            }
        }
    }

    /// Publishes a group, trying again until it is done or its time is over.
    async fn publish(&self, group: &mut [Item]) {
        let mut backoff = Backoff::default();
        loop {
            match self.send(group).await {
                Ok(positions) => {
                    if self.down.swap(false, Ordering::Relaxed) {
                        info!("rooms can be published to again");
                    }
                    for (item, position) in group.iter_mut().zip(positions) {
                        item.answer(Ok(position));
                    }
                    return;
                }
                Err(error) if error.is_out_of_memory() => {
                    warn!("Redis' memory is full: publications are refused");
                    return refuse(group, known(&backoff, PublishError::Full));
                }
                Err(error) if error.is_temporary() => {
                    if !self.down.swap(true, Ordering::Relaxed) {
                        warn!(%error, "rooms can't be published to now, trying again");
                    }
                    tokio::time::sleep(backoff.pause()).await;
                }
                Err(error) => {
                    error!(%error, publications = group.len(), "publications were refused");
                    return refuse(group, known(&backoff, PublishError::Refused));
                }
            }
            // Who waited long enough is told so. The batch stays as it is: it may be published already.
            let mut waiting = false;
            for item in group.iter_mut() {
                if item.at.elapsed() >= self.config.accept_timeout {
                    item.answer(Err(PublishError::Unconfirmed));
                } else {
                    waiting = true;
                }
            }
            if !waiting {
                return;
            }
        }
    }

    async fn send(&self, group: &[Item]) -> Result<Vec<Position>, Error> {
        let Some(first) = group.first() else {
            return Ok(Vec::new());
        };
        let keep = self.config.accept_timeout + KEEP_ANSWER;
        let mut call = script::publish(first.feed.base());
        call.arg(&self.sender)
            .arg(self.batches)
            .arg(millis(keep))
            .arg(millis(KEEP_KEY))
            .arg(group.len());
        for item in group {
            let (size, ttl, meta_ttl) = item.history.map_or((0, 0, 0), |history| {
                let meta_ttl = history.meta_ttl.max(history.ttl);
                (history.size, millis(history.ttl), millis(meta_ttl))
            });
            call.arg(item.feed.name())
                .arg(&item.event)
                .arg(size)
                .arg(ttl)
                .arg(meta_ttl)
                .arg(&item.key);
        }
        let rows: Vec<(String, u64)> = self.redis.script(&call).await?;
        Ok(rows
            .into_iter()
            .map(|(epoch, offset)| Position { epoch, offset })
            .collect())
    }
}

/// As Redis takes it.
fn millis(time: Duration) -> u64 {
    // Redis adds it to the time, which must not overflow: a hundred years are for ever.
    u64::try_from(time.as_millis()).map_or(MOST, |time| time.min(MOST))
}

/// A hundred years.
const MOST: u64 = 100 * 365 * 24 * 3600 * 1000;

/// A refusal says nothing about an earlier try whose answer was lost.
fn known(backoff: &Backoff, why: PublishError) -> PublishError {
    if backoff.tries() == 0 {
        why
    } else {
        PublishError::Unconfirmed
    }
}

fn refuse(group: &mut [Item], why: PublishError) {
    for item in group {
        item.answer(Err(why));
    }
}
