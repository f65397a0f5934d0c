//! A queue that is split: its partitions, and where what is.
//!
//! A partition is a queue of its own, with its own keys, in its own Cluster slot. Each knows the placement by which the
//! last who wrote there went, and refuses to create what an older one puts there: whoever goes by a newer one first looks
//! into the older places, which from then on refuse. So what has a name is in one place, without a lock and without
//! anybody who has to be there. The greatest generation that anybody knows is the one that holds.

mod lookup;
mod placement;
mod places;
mod split;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use protocol::QueueName;
use tokio::sync::watch;

use crate::{Error, Keys, Redis, script::LOOK};

use placement::whole;
pub use placement::{MAX_PARTITIONS, Placement, partition_name};
pub(crate) use places::Place;
pub use split::PartitionError;

/// Of how many queues a placement is remembered.
const REMEMBERED: usize = 4096;

/// The placements that this process knows. Clones of a [`Redis`] share them.
#[derive(Debug)]
pub(crate) struct Partitions {
    known: Mutex<HashMap<QueueName, Arc<Placement>>>,
    /// Counts changes.
    changed: watch::Sender<u64>,
}

impl Default for Partitions {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }
}

impl Partitions {
    fn lock(&self) -> MutexGuard<'_, HashMap<QueueName, Arc<Placement>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a queue.
    pub(crate) fn known(&self, queue: &QueueName) -> Option<Arc<Placement>> {
        self.lock().get(queue).cloned()
    }

    /// Takes note of a placement, unless a newer one is known; returns the newest.
    pub(crate) fn learn(&self, queue: &QueueName, placement: Placement) -> Arc<Placement> {
        let mut known = self.lock();
        if let Some(newest) = known.get(queue)
            && newest.generation() >= placement.generation()
        {
            return Arc::clone(newest);
        }
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let placement = Arc::new(placement);
        known.insert(queue.clone(), Arc::clone(&placement));
        drop(known);
        self.changed.send_modify(|count| *count += 1);
        placement
    }

    /// Tells of each placement that is new.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

impl Redis {
    /// Where a queue's topics are, as far as is known. It may be older than what is in Redis: see
    /// [`Self::newest_placement`].
    pub async fn placement(&self, queue: &QueueName) -> Result<Arc<Placement>, Error> {
        match self.partitions().known(queue) {
            Some(placement) => Ok(placement),
            None => self.newest_placement(queue).await,
        }
    }

    /// Where a queue's topics are, read anew. A partition is not split itself: it only knows how its queue is.
    pub async fn newest_placement(&self, queue: &QueueName) -> Result<Arc<Placement>, Error> {
        let keys = Keys::new(self.prefix(), queue.clone());
        let mut cmd = redis::cmd("HGET");
        cmd.arg(keys.count()).arg("placement");
        let stored: Option<String> = self.query(&cmd).await?;
        let placement = Placement::read(stored.as_deref().unwrap_or_default());
        let placement =
            placement.ok_or_else(|| Error::Stored(format!("the placement of {queue}")))?;
        if placement.generation() > 0
            && let Some((whole, index)) = whole(queue)
            && Box::pin(self.newest_placement(&whole)).await?.held() > index
        {
            return Ok(self.partitions().learn(queue, Placement::default()));
        }
        Ok(self.partitions().learn(queue, placement))
    }

    /// Looks which keys a partition has, given as what follows the base of each. With a placement, the partition refuses
    /// from then on to create what an older one puts there.
    pub(crate) async fn look(
        &self,
        partition: &QueueName,
        fence: Option<&Placement>,
        suffixes: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<bool>, Error> {
        let keys = Keys::new(self.prefix(), partition.clone());
        let mut call = LOOK.call(keys.base());
        call.arg(fence.map_or_else(String::new, Placement::stored));
        for suffix in suffixes {
            call.arg(suffix.as_ref());
        }
        let found: String = self.script(&call).await?;
        Ok(found.bytes().map(|byte| byte == b'1').collect())
    }
}

/// The name of a partition of a queue that is split, which has one.
pub(crate) fn named(queue: &QueueName, index: u16) -> Result<QueueName, Error> {
    partition_name(queue, index)
        .map_err(|_| Error::Stored(format!("{queue} can't have a partition {index}")))
}
