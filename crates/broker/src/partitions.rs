//! A queue that is split: its partitions, and where what is.
//!
//! A partition is a queue of its own, with its own keys, in its own Cluster slot. Each knows the placement by which the
//! last who wrote there went, and refuses to create what an older one puts there: whoever goes by a newer one first looks
//! into the older places, which from then on refuse. So what has a name is in one place, without a lock and without
//! anybody who has to be there. The greatest generation that anybody knows is the one that holds.

mod lanes;
mod looks;
mod lookup;
mod open;
mod placement;
mod places;
mod route;
mod router;
mod split;
mod sum;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use protocol::QueueName;
use tokio::sync::watch;

use crate::{Error, Keys, Redis, script::LOOK};

use placement::OF;
pub use placement::{MAX_PARTITIONS, Placement, partition_name};
pub(crate) use places::Place;
pub(crate) use router::Router;
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

    /// Where a queue's topics are, read anew.
    pub async fn newest_placement(&self, queue: &QueueName) -> Result<Arc<Placement>, Error> {
        let placement = match self.told(queue).await? {
            Told::Placement(placement) => placement,
            // It is a partition, which is not split itself.
            Told::Partition { .. } => Placement::default(),
        };
        Ok(self.partitions().learn(queue, placement))
    }

    /// What a partition knows of placements.
    async fn told(&self, partition: &QueueName) -> Result<Told, Error> {
        let keys = Keys::new(self.prefix(), partition.clone());
        let mut cmd = redis::cmd("HGET");
        cmd.arg(keys.count()).arg("placement");
        let stored: Option<String> = self.query(&cmd).await?;
        Told::read(stored.as_deref().unwrap_or_default())
            .ok_or_else(|| Error::Stored(format!("the placement of {partition}")))
    }

    /// Takes note of what a partition said of its placement.
    pub(crate) fn heard(&self, queue: &QueueName, told: &str) {
        match Told::read(told) {
            Some(Told::Placement(placement)) if placement.generation() > 0 => {
                self.partitions().learn(queue, placement);
            }
            Some(Told::Partition { placement, of }) => {
                if let Ok(queue) = QueueName::new(of) {
                    self.partitions().learn(&queue, placement);
                }
            }
            _ => {}
        }
    }

    /// The newest placement that any partition of a queue knows: a failover may have taken it back where it was made.
    /// Fails if this is no queue but a partition of one.
    async fn restored_placement(&self, queue: &QueueName) -> Result<Arc<Placement>, Error> {
        let placement = match self.told(queue).await? {
            Told::Placement(placement) => placement,
            Told::Partition { of, .. } => {
                let why = format!("{queue} is a partition of {of}, and takes no jobs of its own");
                return Err(Error::Unsupported(why));
            }
        };
        let mut newest = self.partitions().learn(queue, placement);
        for index in 1..newest.held() {
            let told = self.told(&named(queue, index)?).await?;
            if let Told::Partition { placement, of } = told
                && of == queue.as_str()
                && placement.generation() > newest.generation()
            {
                newest = self.partitions().learn(queue, placement);
                self.look(queue, 0, &newest, [""; 0]).await?;
            }
        }
        Ok(newest)
    }

    /// Looks which keys a partition has, given as what follows the base of each. From then on the partition refuses to
    /// create what an older placement than this one puts there.
    pub(crate) async fn look(
        &self,
        queue: &QueueName,
        index: u16,
        fence: &Placement,
        suffixes: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<bool>, Error> {
        let keys = Keys::new(self.prefix(), named(queue, index)?);
        let mut call = LOOK.call(keys.base());
        call.arg(fence.at(queue, index));
        for suffix in suffixes {
            call.arg(suffix.as_ref());
        }
        let found: String = self.script(&call).await?;
        Ok(found.bytes().map(|byte| byte == b'1').collect())
    }
}

/// The name of a partition that exists, so that it is one.
pub(crate) fn named(queue: &QueueName, index: u16) -> Result<QueueName, Error> {
    partition_name(queue, index)
        .map_err(|error| Error::Stored(format!("partition {index} of {queue}: {error}")))
}

/// What stands in a partition.
enum Told {
    /// In the first one, or in a queue that is not split.
    Placement(Placement),
    /// In another one.
    Partition { placement: Placement, of: String },
}

impl Told {
    fn read(text: &str) -> Option<Self> {
        match text.split_once(OF) {
            None => Placement::read(text).map(Self::Placement),
            Some((placement, of)) => Some(Self::Partition {
                placement: Placement::read(placement)?,
                of: of.to_owned(),
            }),
        }
    }
}
