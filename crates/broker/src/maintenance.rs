//! Maintenance of queues: promotes what is due, sweeps leases that ran out, forgets what is past its time.
//!
//! Any number of processes may do it at once; each step is one bounded script. Claims promote and sweep too, so
//! that nothing stops when nobody does it.

use protocol::QueueName;

use crate::{
    Error, Keys, QueueArgs, Redis,
    script::{self, MAINTAIN},
};

/// How many jobs one step moves at most, of each kind.
const STEP: usize = 500;

/// What maintenance did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Delayed jobs whose time came.
    pub promoted: u64,
    /// Leases that ran out.
    pub lost: u64,
    /// Jobs whose time to live was over before they began.
    pub expired: u64,
    /// Finished jobs that were forgotten.
    pub pruned: u64,
}

/// Maintains queues.
#[derive(Clone)]
pub struct Maintenance {
    redis: Redis,
    args: QueueArgs,
}

impl Maintenance {
    /// Maintenance of everything under the connection's prefix.
    pub const fn new(redis: Redis, args: QueueArgs) -> Self {
        Self { redis, args }
    }

    /// Does everything that there is to do in a queue now, step by step.
    pub async fn run(&self, queue: &QueueName) -> Result<Swept, Error> {
        let keys = Keys::new(self.redis.prefix(), queue.clone());
        let mut swept = Swept::default();
        loop {
            let mut call = script::ending(&MAINTAIN, &keys, &self.args);
            call.arg(STEP);
            let (promoted, lost, expired, pruned): (u64, u64, u64, u64) =
                self.redis.script(&call).await?;
            swept.promoted += promoted;
            swept.lost += lost;
            swept.expired += expired;
            swept.pruned += pruned;
            if promoted.max(lost).max(expired).max(pruned) < STEP as u64 {
                return Ok(swept);
            }
        }
    }
}
