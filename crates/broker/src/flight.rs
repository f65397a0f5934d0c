//! A round on its way to Redis: sent until it is answered.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use protocol::JobId;
use tracing::{error, info, warn};

use crate::{
    Backoff, ConsumerConfig, Keys, QueueArgs, Redis,
    handle::Op,
    lease::Leases,
    offer::Terms,
    ready::Voice,
    round::{Reply, Round},
    shares::Share,
};

/// How long operations may still take to reach Redis once the process must stop.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// What all rounds of a worker need.
pub(crate) struct Pilot {
    pub(crate) redis: Redis,
    pub(crate) keys: Keys,
    pub(crate) args: QueueArgs,
    pub(crate) config: ConsumerConfig,
    pub(crate) leases: Arc<Leases>,
    pub(crate) share: Arc<Share>,
    /// Whether Redis answers.
    pub(crate) ready: Arc<Voice>,
    /// The kinds that the worker has, as scripts read them.
    pub(crate) kinds: String,
    /// Of the last round.
    pub(crate) number: AtomicU64,
}

/// What goes in one round.
pub(crate) struct Flight {
    /// Where Redis remembers its answer. Two that are under way at the same time have two.
    pub(crate) slot: usize,
    pub(crate) ops: Vec<Op>,
    /// How many of them end their attempts.
    pub(crate) ending: usize,
    pub(crate) want: usize,
    /// What it says of the worker's offer.
    pub(crate) offer: Terms,
}

/// A round that was answered.
pub(crate) struct Landed {
    pub(crate) slot: usize,
    /// The jobs that it wrote about.
    pub(crate) ids: Vec<JobId>,
    /// What was written of it, or refused.
    pub(crate) ops: Vec<Op>,
    /// How many ended their attempts when it went.
    pub(crate) ending: usize,
    pub(crate) want: usize,
    /// What it said of the worker's offer.
    pub(crate) offer: Terms,
    pub(crate) reply: Reply,
}

impl Pilot {
    fn next(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Runs a round until it is answered; `None` when the process must stop and Redis does not answer.
    pub(crate) async fn fly(&self, flight: Flight) -> Option<Landed> {
        let Flight {
            slot,
            mut ops,
            ending,
            want,
            offer,
        } = flight;
        let ids = ops.iter().map(|op| op.id).collect();
        let reply = self.send(slot, &mut ops, want, offer).await?;
        Some(Landed {
            slot,
            ids,
            ops,
            ending,
            want,
            offer,
            reply,
        })
    }

    async fn send(
        &self,
        slot: usize,
        ops: &mut Vec<Op>,
        mut want: usize,
        mut offer: Terms,
    ) -> Option<Reply> {
        let mut number = self.next();
        let mut backoff = Backoff::default();
        let mut over = pin!(self.over());
        loop {
            let round = Round {
                worker: &self.config.worker,
                slot,
                number,
                lease_ms: u64::try_from(self.config.lease.as_millis()).unwrap_or(u64::MAX),
                want,
                kinds: &self.kinds,
                offer,
                ops,
            };
            let answer = tokio::select! {
                answer = round.run(&self.redis, &self.keys, &self.args) => answer,
                () = &mut over => return None,
            };
            match answer {
                Ok(reply) => {
                    if backoff.tries() > 0 {
                        info!(worker = self.config.worker, "Redis answers again");
                        self.share.hears(true);
                    }
                    self.ready.set(true);
                    return Some(reply);
                }
                Err(error) if error.is_temporary() => {
                    if backoff.tries() == 0 {
                        warn!(worker = self.config.worker, %error, "Redis does not answer, trying again");
                    }
                }
                Err(error) if ops.is_empty() => {
                    error!(worker = self.config.worker, %error, "jobs can't be claimed");
                }
                Err(error) => {
                    // A round that can never succeed would stop the worker for good: give up what is in it.
                    // The jobs run again when their leases are over.
                    let given_up = ops.split_off(ops.len() / 2);
                    error!(worker = self.config.worker, %error, ops = given_up.len(), "operations given up");
                    for op in given_up.into_iter().filter(Op::ends) {
                        self.leases.remove(op.id, op.attempt);
                    }
                    want = 0;
                    number = self.next();
                }
            }
            offer = offer.again();
            self.ready.set(false);
            self.share.hears(false);
            let pause = backoff.pause();
            if ops.is_empty() {
                // Who stops wants nothing more of Redis, so there is nothing to wait for.
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.config.soft.cancelled() => return Some(Reply::default()),
                }
            } else {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = &mut over => return None,
                }
            }
        }
    }

    /// Waits until the process may not wait for Redis any longer: a moment after it must stop.
    async fn over(&self) {
        self.config.hard.cancelled().await;
        tokio::time::sleep(LAST_WAIT).await;
    }
}
