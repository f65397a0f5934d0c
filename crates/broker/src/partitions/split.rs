//! Splitting a queue into another number of partitions.

use std::sync::Arc;

use protocol::QueueName;
use tracing::debug;

use super::{MAX_PARTITIONS, Placement, Told, partition};
use crate::{Control, Error, Inspector, Keys, roll, script::SPLIT};

/// How often it is tried again while somebody else does the same.
const TRIES: usize = 5;

impl Control {
    /// Splits a queue into so many partitions, 1 to [`MAX_PARTITIONS`]. New topics go by it from now on, and what is there stays
    /// where it is. It stops nothing, may be done again at any time, and is done once this returns; if it fails, it may be
    /// done all the same.
    pub async fn partition(&self, queue: &QueueName, count: u16) -> Result<Arc<Placement>, Error> {
        if !(1..=MAX_PARTITIONS).contains(&count) {
            let why = format!("a queue has 1 to {MAX_PARTITIONS} partitions");
            return Err(Error::Unsupported(why));
        }
        for _ in 0..TRIES {
            let former = self.redis.restored_placement(queue).await?;
            let placement = if former.count() == count {
                former
            } else {
                match self.split(queue, &former, count).await? {
                    Some(placement) => self.redis.partitions().learn(queue, placement),
                    None => continue,
                }
            };
            self.spread_the_news(queue, &placement).await?;
            return Ok(placement);
        }
        let why = format!("{queue} is being split by somebody else");
        Err(Error::Unsupported(why))
    }

    /// None if somebody else split it meanwhile.
    async fn split(
        &self,
        queue: &QueueName,
        former: &Placement,
        count: u16,
    ) -> Result<Option<Placement>, Error> {
        let inspector = Inspector::new(self.redis.clone());
        let (_, totals) = inspector.counts(queue).await?;
        let unused = former.generation() == 0 && totals.enqueued == 0;
        let keys = Keys::new(self.redis.prefix(), queue.clone());
        let now = self.redis.now_at(keys.base()).await?;
        let Some(placement) = former.changed(count, now, unused) else {
            let why = format!(
                "{queue} was split into too many different numbers of partitions: take one of before"
            );
            return Err(Error::Unsupported(why));
        };
        for index in former.held()..placement.held() {
            self.prepare(&inspector, queue, index).await?;
        }
        let mut call = SPLIT.call(keys.base());
        call.arg(former.stored())
            .arg(placement.stored())
            .arg(u8::from(unused));
        let done: bool = self.redis.script(&call).await?;
        Ok(done.then_some(placement))
    }

    /// Sets in a partition what is set for its queue, before it is used. Fails if something else has its name.
    async fn prepare(
        &self,
        inspector: &Inspector,
        queue: &QueueName,
        index: u16,
    ) -> Result<(), Error> {
        let name = partition(queue, index).map_err(|_| {
            let why = format!("the name of {queue} is too long for those of its partitions");
            Error::Unsupported(why)
        })?;
        let is_ours = match self.redis.told(&name).await? {
            Told::Partition { of, .. } => of == queue.as_str(),
            Told::Placement(placement) => {
                let (_, totals) = inspector.counts(&name).await?;
                placement.generation() == 0 && totals.enqueued == 0
            }
        };
        if !is_ours {
            let why = format!("{name} would be a partition of {queue}, and is a queue of its own");
            return Err(Error::Unsupported(why));
        }
        let settings = inspector.settings(queue).await?;
        self.write_here(&name, &settings.fields()).await?;
        for tenant in inspector.tenants(queue, usize::MAX).await? {
            if let Some(limits) = &tenant.limits {
                self.set_tenant_here(&name, &tenant.tenant, Some(limits))
                    .await?;
            }
        }
        Ok(())
    }

    /// Has all partitions know it, so that who goes by an older placement learns of it there, and workers look for new ones.
    async fn spread_the_news(&self, queue: &QueueName, placement: &Placement) -> Result<(), Error> {
        for index in 0..placement.held() {
            self.redis
                .look(queue, index, Some(placement), [""; 0])
                .await?;
            roll::enter(&self.redis, &partition(queue, index)?).await?;
        }
        let keys = Keys::new(self.redis.prefix(), queue.clone());
        let workers = Inspector::new(self.redis.clone()).workers(queue).await?;
        for worker in workers.iter().filter(|worker| worker.alive) {
            let inbox = keys.inbox(&worker.name);
            let mut pipeline = redis::pipe();
            pipeline.rpush(&inbox, "partitions").ignore();
            pipeline.ltrim(&inbox, -1000, -1).ignore();
            pipeline.pexpire(&inbox, 60_000).ignore();
            // Who misses it looks every 10 s.
            if let Err(error) = self.redis.pipe::<()>(&pipeline).await {
                debug!(worker = worker.name, %error, "could not be told of partitions");
            }
        }
        Ok(())
    }
}
