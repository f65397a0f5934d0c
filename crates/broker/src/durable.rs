//! Writes that are safe before they are confirmed: on the primary's disk, or on replicas.
//!
//! Redis counts what a connection has written, so script and `WAITAOF` or `WAIT` go over the same one; it is not the
//! shared one, which they would hold up.

use std::time::{Duration, Instant};

use protocol::Durability;
use redis::FromRedisValue;

use crate::{
    Error, Redis,
    call::{Call, Link},
    preflight,
};

/// How long Redis is asked to wait for disk or replicas at a time.
const WAIT: Duration = Duration::from_secs(1);

/// How a durability is reached on this Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Every write is on disk before it is answered: `appendfsync always`.
    Always,
    /// `WAITAOF`, since Redis 7.2.
    WaitAof,
    /// `WAIT` for so many replicas.
    Wait(u32),
}

/// Runs scripts to a durability.
pub(crate) struct Durable {
    redis: Redis,
    durability: Durability,
    replicas: u32,
    own: Option<(Link, How)>,
    /// Whether there was a connection of its own before.
    again: bool,
}

impl Durable {
    pub(crate) const fn new(redis: Redis, durability: Durability, replicas: u32) -> Self {
        Self {
            redis,
            durability,
            replicas,
            own: None,
            again: false,
        }
    }

    pub(crate) const fn durability(&self) -> Durability {
        self.durability
    }

    /// Runs a script that may be run again; an error says nothing about whether it was.
    pub(crate) async fn script<T: FromRedisValue>(&mut self, call: &Call<'_>) -> Result<T, Error> {
        if self.durability == Durability::Written {
            return self.redis.script(call).await;
        }
        // Whatever fails, what the connection has written is not known any more: the next call has another.
        let own = self.own.take().filter(|(link, _)| link.stands());
        let (mut link, how) = if let Some(own) = own {
            own
        } else {
            let how = preflight::how(&self.redis, self.durability, self.replicas).await?;
            let again = std::mem::replace(&mut self.again, true);
            let key = String::from_utf8_lossy(call.key());
            (self.redis.dedicated(&key, WAIT, again).await?, how)
        };
        let sent = Instant::now();
        let result = run(&mut link, how, call).await;
        self.redis
            .meter()
            .round_trip(sent.elapsed(), result.is_ok());
        let value = result?;
        self.own = Some((link, how));
        Ok(value)
    }
}

async fn run<T: FromRedisValue>(link: &mut Link, how: How, call: &Call<'_>) -> Result<T, Error> {
    let value = link.script(call).await.map_err(Error::Command)?;
    reach(link, how).await?;
    Ok(value)
}

async fn reach(link: &mut Link, how: How) -> Result<(), Error> {
    let millis = u64::try_from(WAIT.as_millis()).unwrap_or(u64::MAX);
    let reached = match how {
        How::Always => true,
        How::WaitAof => {
            let mut cmd = redis::cmd("WAITAOF");
            cmd.arg(1).arg(0).arg(millis);
            let (local, _): (u32, u32) = link.query(&cmd).await.map_err(Error::Command)?;
            local >= 1
        }
        How::Wait(replicas) => {
            let mut cmd = redis::cmd("WAIT");
            cmd.arg(replicas).arg(millis);
            link.query::<u32>(&cmd).await.map_err(Error::Command)? >= replicas
        }
    };
    if reached {
        Ok(())
    } else {
        Err(Error::NotDurable)
    }
}
