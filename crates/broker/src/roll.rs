//! The roll of all queues, by which managers and operators find them.
//!
//! It is one set, in a Cluster mostly on another shard than the queue, which may lose a name that it had confirmed. So a
//! name is put there again every now and then, by all that work with the queue; never in the way of what they do. Workers
//! look at the same time whether the queue was split: who missed that it was told knows it soon.

use std::time::Duration;

use protocol::QueueName;
use tracing::debug;

use crate::{Error, Keys, Redis};

/// How often a name is put on the roll again: seldom, for an idle system sends this too.
const AGAIN: Duration = Duration::from_secs(10);

/// Puts a queue on the roll.
pub(crate) async fn enter(redis: &Redis, queue: &QueueName) -> Result<(), Error> {
    let mut cmd = redis::cmd("SADD");
    cmd.arg(Keys::queues(redis.prefix())).arg(queue.as_str());
    redis.query::<i64>(&cmd).await.map(drop)
}

/// Keeps one there that has been put there, for as long as this is polled. A failure is made good by the next time.
pub(crate) async fn keep(redis: &Redis, queue: &QueueName) {
    loop {
        again(redis, queue).await;
    }
}

/// The same, and keeps what is known of its partitions new.
pub(crate) async fn keep_with_partitions(redis: &Redis, queue: &QueueName) {
    loop {
        again(redis, queue).await;
        if let Err(error) = redis.newest_placement(queue).await {
            debug!(%queue, %error, "whether the queue is split can't be read");
        }
    }
}

async fn again(redis: &Redis, queue: &QueueName) {
    tokio::time::sleep(AGAIN).await;
    if let Err(error) = enter(redis, queue).await {
        debug!(%queue, %error, "can't be put on the roll of queues");
    }
}
