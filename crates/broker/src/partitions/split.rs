//! Splits a queue: into as many partitions as an operator wants from now on. What is there stays where it is.

use std::{collections::BTreeSet, sync::Arc};

use protocol::{NameError, QueueName};

use super::{MAX_PARTITIONS, Placement, named, partition_name, whole};
use crate::{Control, Error, Inspector, Keys, Redis, roll, script::PARTITION};

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
    Part(QueueName),
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
        if let Some((whole, index)) = whole(queue)
            && redis.newest_placement(&whole).await?.held() > index
        {
            return Err(PartitionError::Part(whole));
        }
        let keys = Keys::new(redis.prefix(), queue.clone());
        let placement = loop {
            let old = redis.newest_placement(queue).await?;
            if old.count() == count {
                // Whoever split it may not have come to the end.
                break old;
            }
            let new = old.held()..count;
            self.are_free(queue, new.clone()).await?;
            let enqueued = read(redis, queue).await?.0;
            let is_empty = enqueued == 0 && old.generation() == 0;
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
            let partition = named(queue, index)?;
            redis.look(&partition, Some(placement), [""; 0]).await?;
            roll::enter(redis, &partition).await?;
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
        let queues = Inspector::new(redis.clone()).queues().await?;
        let queues: BTreeSet<_> = queues.into_iter().collect();
        for index in new {
            let name = named(queue, index)?;
            if !queues.contains(&name) {
                continue;
            }
            let (enqueued, is_split) = read(redis, &name).await?;
            let has_parts = partition_name(&name, 1).is_ok_and(|part| queues.contains(&part));
            if (enqueued > 0 && !is_split) || (is_split && has_parts) {
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
                    pipeline.hset_multiple(&key, rows).ignore();
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

/// How many jobs a queue ever had, and whether it has a placement.
async fn read(redis: &Redis, queue: &QueueName) -> Result<(u64, bool), Error> {
    let mut cmd = redis::cmd("HMGET");
    cmd.arg(Keys::new(redis.prefix(), queue.clone()).count())
        .arg("enqueued")
        .arg("placement");
    let (enqueued, placement): (Option<u64>, Option<String>) = redis.query(&cmd).await?;
    Ok((enqueued.unwrap_or(0), placement.is_some()))
}
