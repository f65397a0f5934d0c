//! What a command works with: a connection to look through, and a place to print to.

use broker::{Control, Inspector, Redis, RedisArgs};
use protocol::QueueName;

use crate::{
    fault::{Fault, sentence},
    output::Output,
};

pub(crate) struct Console {
    pub(crate) redis: Redis,
    pub(crate) inspector: Inspector,
    pub(crate) out: Output,
}

impl Console {
    pub(crate) fn new(args: &RedisArgs) -> Result<Self, Fault> {
        let redis = Redis::new(args).map_err(|error| Fault::Settings(sentence(&error, "")))?;
        Ok(Self {
            inspector: Inspector::new(redis.clone()),
            redis,
            out: Output::detect(),
        })
    }

    /// An error of Redis, with where Redis is.
    pub(crate) fn fault(&self, error: &broker::Error) -> Fault {
        Fault::Redis(sentence(error, &self.redis.address()))
    }

    /// Checks that a queue exists, unless it may be new.
    pub(crate) async fn expect(&self, queue: &QueueName, may_be_new: bool) -> Result<(), Fault> {
        if may_be_new {
            return Ok(());
        }
        self.queues(Some(queue)).await.map(drop)
    }

    /// Changes queues and jobs; what is kept matters only where jobs end.
    pub(crate) fn control(&self, keep: broker::QueueArgs) -> Control {
        Control::new(self.redis.clone(), keep)
    }

    /// The queue that was asked for, if it exists, or all.
    pub(crate) async fn queues(&self, wanted: Option<&QueueName>) -> Result<Vec<QueueName>, Fault> {
        let queues = self
            .inspector
            .queues()
            .await
            .map_err(|error| self.fault(&error))?;
        match wanted {
            None => Ok(queues),
            Some(queue) if queues.contains(queue) => Ok(vec![queue.clone()]),
            Some(queue) => Err(Fault::NoQueue(queue.clone())),
        }
    }
}
