//! Splits a queue: into as many partitions as an operator wants from now on. What is there stays where it is.

use std::sync::Arc;

use protocol::{NameError, QueueName};

use super::{MAX_PARTITIONS, Placement, Told, named, partition_name};
use crate::{Control, Error, Inspector, Keys, roll, script::PARTITION};

/// What workers are told: there may be partitions that they do not serve yet.
const MESSAGE: &str = "partitions";
/// How many messages a worker may have, and for how long, in milliseconds, as scripts have it that tell workers something.
const INBOX: isize = 1000;
const INBOX_MS: i64 = 60_000;
/// So many fields one command writes.
const FIELDS: usize = 500;

/// Why a queue is not split.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartitionError {
    /// No queue can have so many.
    #[error("a queue has from 1 to {MAX_PARTITIONS} partitions")]
    Count,
    /// The last partition's name would be none.
    #[error("the queue's name leaves no room for the numbers of its partitions: {0}")]
    Name(#[from] NameError),
    /// It is one of another queue.
    #[error("this is a partition of {0}, which may be split instead")]
    Part(String),
    /// What would be a partition is in use for something else.
    #[error("a partition would be called {0}, which is a queue of its own")]
    Taken(QueueName),
    /// Each number that a queue ever had is one more place to look at.
    #[error("the queue was split into too many different numbers of partitions before")]
    TooOften,
    /// It is not known whether the queue is split.
    #[error(transparent)]
    Redis(#[from] Error),
}

/// What an operator has set, as it is stored.
type Rows = Vec<(String, String)>;

impl Control {
    /// Splits a queue into so many partitions, into which new topics go. They begin with what is set for the queue. Workers
    /// that do not serve them yet are told.
    pub async fn partition(
        &self,
        queue: &QueueName,
        count: u16,
    ) -> Result<Arc<Placement>, PartitionError> {
        if !(1..=MAX_PARTITIONS).contains(&count) {
            return Err(PartitionError::Count);
        }
        partition_name(queue, count - 1)?;
        let redis = self.redis();
        if let Told::Partition { of, .. } = redis.told(queue).await? {
            return Err(PartitionError::Part(of));
        }
        let keys = Keys::new(redis.prefix(), queue.clone());
        let placement = loop {
            let old = redis.restored_placement(queue).await?;
            if old.count() == count {
                // Whoever split it may not have come to the end.
                break old;
            }
            let new = old.held()..count;
            self.are_free(queue, new.clone()).await?;
            let (_, totals) = Inspector::new(redis.clone()).counts(queue).await?;
            let is_empty = totals.enqueued == 0 && old.generation() == 0;
            let now = redis.now_at(&keys.count()).await?;
            let placement = old
                .changed(count, now, is_empty)
                .ok_or(PartitionError::TooOften)?;
            self.copy_settings(queue, new.clone()).await?;
            let mut call = PARTITION.call(keys.base());
            call.arg(old.stored())
                .arg(placement.stored())
                .arg(u8::from(is_empty));
            if redis.script::<u8>(&call).await? == 1 {
                // What was set meanwhile; whoever sets something from now on sees all partitions.
                self.copy_settings(queue, new).await?;
                break redis.partitions().learn(queue, placement);
            }
        };
        if placement.generation() > 0 {
            self.announce(queue, &placement).await?;
        }
        Ok(placement)
    }

    /// Makes a placement known to all partitions, to managers and to workers.
    async fn announce(&self, queue: &QueueName, placement: &Placement) -> Result<(), Error> {
        let redis = self.redis();
        for index in 0..placement.held() {
            redis.look(queue, index, placement, [""; 0]).await?;
            roll::enter(redis, &named(queue, index)?).await?;
        }
        let keys = Keys::new(redis.prefix(), queue.clone());
        let workers = Inspector::new(redis.clone()).workers(queue).await?;
        for worker in workers.iter().filter(|worker| worker.alive) {
            let inbox = keys.inbox(&worker.name);
            let mut pipeline = redis::pipe();
            pipeline.rpush(&inbox, MESSAGE).ignore();
            pipeline.ltrim(&inbox, -INBOX, -1).ignore();
            pipeline.pexpire(&inbox, INBOX_MS).ignore();
            redis.pipe::<()>(&pipeline).await?;
        }
        Ok(())
    }

    /// Fails if one of these names is that of a queue which has had jobs, or is split.
    async fn are_free(
        &self,
        queue: &QueueName,
        new: std::ops::Range<u16>,
    ) -> Result<(), PartitionError> {
        let redis = self.redis();
        for index in new {
            let name = named(queue, index)?;
            let is_free = match redis.told(&name).await? {
                Told::Partition { of, .. } => of == queue.as_str(),
                Told::Placement(placement) => {
                    let (_, totals) = Inspector::new(redis.clone()).counts(&name).await?;
                    placement.generation() == 0 && totals.enqueued == 0
                }
            };
            if !is_free {
                return Err(PartitionError::Taken(name));
            }
        }
        Ok(())
    }

    /// Gives partitions what is set for the queue and for its tenants.
    async fn copy_settings(
        &self,
        queue: &QueueName,
        to: std::ops::Range<u16>,
    ) -> Result<(), Error> {
        if to.is_empty() {
            return Ok(());
        }
        let redis = self.redis();
        let keys = Keys::new(redis.prefix(), queue.clone());
        let mut pipeline = redis::pipe();
        pipeline.hgetall(keys.settings()).hgetall(keys.overrides());
        let (settings, overrides): (Rows, Rows) = redis.pipe(&pipeline).await?;
        for index in to {
            let keys = Keys::new(redis.prefix(), named(queue, index)?);
            let mut pipeline = redis::pipe();
            for (key, rows) in [(keys.settings(), &settings), (keys.overrides(), &overrides)] {
                pipeline.unlink(&key).ignore();
                for rows in rows.chunks(FIELDS) {
                    // Not the client's own way, which is a command that users are not given.
                    pipeline.cmd("HSET").arg(&key).arg(rows).ignore();
                }
            }
            // By which scripts know that there is something to read.
            let fields = settings.len();
            pipeline.hset(keys.count(), "settings", fields).ignore();
            redis.pipe::<()>(&pipeline).await?;
        }
        Ok(())
    }
}
