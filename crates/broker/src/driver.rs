//! The one task of a worker that talks to a partition of its queue: round after round, each as large as what came up
//! meanwhile. While one is under way another may be, so that Redis and the worker need not wait for each other.

use std::{
    sync::{Arc, OnceLock, atomic::AtomicU64},
    time::Duration,
};

use apalis_core::{
    backend::queue::Queue,
    task::{Task, builder::TaskBuilder, metadata::MetadataStore, task_id::TaskId},
};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use protocol::{Job, QueueName};
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    ConsumerConfig, JobHandle, Keys, QueueArgs, Redis, StopReason,
    buffer::Buffer,
    flight::{Flight, Landed, Pilot},
    handle::{Attempt, Op, Written},
    lease::Leases,
    offer::{Heard, Offer},
    queued::Queued,
    ready::Voice,
    round::Claim,
    search::{IDLE, Search},
    shares::Share,
    wake::Wake,
};

/// How many jobs one round takes at most.
const MAX_CLAIM: usize = 128;
/// How many rounds are under way at the same time, and how many operations make a further one worth its cost.
const ROUNDS: usize = 2;
const WORTH: usize = 32;

pub(crate) struct Driver {
    pub(crate) redis: Redis,
    /// The queue as its handlers know it.
    pub(crate) queue: QueueName,
    /// Which of its partitions this is, and its keys.
    pub(crate) partition: u16,
    pub(crate) keys: Keys,
    pub(crate) args: QueueArgs,
    pub(crate) config: ConsumerConfig,
    pub(crate) ops: mpsc::Receiver<Op>,
    /// For the handles of claimed jobs.
    pub(crate) ops_sender: mpsc::Sender<Op>,
    pub(crate) buffer: Arc<Buffer>,
    pub(crate) leases: Arc<Leases>,
    /// What it may take of the worker's capacity.
    pub(crate) share: Arc<Share>,
    /// Whether Redis answers.
    pub(crate) ready: Arc<Voice>,
    /// The kinds that the worker has, as scripts read them.
    pub(crate) kinds: String,
    /// Told when there may be something for this worker alone.
    pub(crate) look: Arc<Notify>,
    /// Cancelled when no attempt runs any more and none will begin.
    pub(crate) closing: CancellationToken,
}

impl Driver {
    pub(crate) async fn run(mut self) {
        let pilot = Pilot {
            redis: self.redis.clone(),
            keys: self.keys.clone(),
            args: self.args.clone(),
            config: self.config.clone(),
            leases: Arc::clone(&self.leases),
            share: Arc::clone(&self.share),
            ready: Arc::clone(&self.ready),
            kinds: std::mem::take(&mut self.kinds),
            number: AtomicU64::new(0),
        };
        let mut wake = Wake::new(self.redis.clone(), &self.keys);
        let mut offer = Offer::new(self.redis.clone(), &self.keys, &self.config.worker);
        let mut queued = Queued::default();
        let mut flights = FuturesUnordered::new();
        let mut slots: Vec<usize> = (0..ROUNDS).collect();
        let mut search = Search::new();
        let mut stopping = false;
        loop {
            self.config.pulse.beat();
            self.collect(&mut queued);
            stopping |= self.config.soft.is_cancelled();
            if stopping {
                // Also what was still under way.
                let tasks = self.buffer.take_all(self.partition);
                let back = tasks.iter().filter_map(hand_back);
                back.for_each(|op| queued.push(op));
                self.share.rest();
            }
            queued.ripen(stopping || self.closing.is_cancelled());
            // What this round ends makes room for what it takes.
            let ending = queued.ending();
            let free = if stopping { 0 } else { self.share.free(ending) };
            if !stopping && self.share.is_shared() {
                // Where others have all, nobody waits for a token: so it looks in its turn.
                search.look |= search.is_late() || free > 0 && self.share.is_hungry();
                if search.look && free == 0 && !search.has_token {
                    self.share.ask();
                    search.look = false;
                }
            }
            // Who goes takes nothing more, and takes its offer back.
            let is_going = stopping || self.closing.is_cancelled();
            // A free slot is what bounds how many are under way.
            let is_worth = if flights.is_empty() {
                !queued.next.is_empty() || search.look || is_going && offer.has_to_end()
            } else {
                queued.next.len() >= WORTH || !queued.next.is_empty() && queued.is_heavy()
            };
            if is_worth && let Some(slot) = slots.pop() {
                let ops = queued.take();
                let ending = ops.iter().filter(|op| op.ends()).count();
                let most = if stopping { 0 } else { MAX_CLAIM };
                let want = self.share.depart(ending, most);
                if want == 0 && !stopping && (search.look || search.is_deep) {
                    self.share.ask();
                }
                search.depart(want);
                // Who has but a share is given nothing: somebody else may have taken it by then.
                let is_free = want > 0 && !is_going && !self.share.is_shared();
                let offer = offer.say(is_free);
                flights.push(pilot.fly(Flight {
                    slot,
                    ops,
                    ending,
                    want,
                    offer,
                }));
                continue;
            }
            let is_idle = flights.is_empty();
            let is_empty = self.share.held() == 0;
            if is_idle && self.closing.is_cancelled() && is_empty {
                break;
            }
            tokio::select! {
                Some(op) = self.ops.recv(), if queued.has_room() => queued.push(op),
                Some(landed) = flights.next() => {
                    let Some(landed) = landed else { break };
                    slots.push(landed.slot);
                    self.land(landed, &mut search, &mut offer, &mut queued);
                }
                () = wake.woken(free > 0), if is_idle => search.wake(),
                heard = offer.heard(!is_going && !self.share.is_shared()) => match heard {
                    // What it was given while it could not hear it.
                    Heard::Open => search.look |= free > 0,
                    Heard::Given(claim) => {
                        self.share.hold();
                        self.accept(*claim, &mut queued);
                    }
                },
                () = self.look.notified(), if free > 0 => search.look = true,
                () = self.share.freed(), if free == 0 && !stopping => {}
                // Who can take nothing turns too, so that it is seen to live.
                () = tokio::time::sleep(if is_idle && free > 0 { search.rest() } else { IDLE }) => {
                    search.look |= is_idle && free > 0;
                }
                () = ripe(queued.gathering.until()) => {}
                () = self.config.soft.cancelled(), if !stopping => {}
                () = self.closing.cancelled(), if is_idle && is_empty => {}
            }
        }
        self.ready.set(false);
    }

    fn collect(&mut self, queued: &mut Queued) {
        while queued.has_room()
            && let Ok(op) = self.ops.try_recv()
        {
            queued.push(op);
        }
    }

    /// Takes what a round brought.
    fn land(
        &self,
        mut landed: Landed,
        search: &mut Search,
        offer: &mut Offer,
        queued: &mut Queued,
    ) {
        queued.landed(&landed.ids);
        let (want, found) = (landed.want, landed.reply.claims.len());
        self.share.land(landed.ending, want, found);
        search.land(want, found, landed.reply.due_ms);
        let given = offer.settle(landed.offer, std::mem::take(&mut landed.reply.offer));
        if given.is_some() {
            self.share.hold();
        }
        for claim in self.settle(landed).into_iter().chain(given) {
            self.accept(claim, queued);
        }
        search.look &= self.share.held() < self.config.capacity;
    }

    /// Tells of each operation whether it was written; gives what was taken.
    fn settle(&self, landed: Landed) -> Vec<Claim> {
        for (op, written) in landed.ops.into_iter().zip(landed.reply.written) {
            if let Some(part) = op.part() {
                part.parcel.unfolded();
            }
            if op.ends() {
                self.leases.remove(op.id, op.attempt);
            } else if !written {
                self.leases.stop(op.id, op.attempt, StopReason::LeaseLost);
            }
            if let Some(done) = op.done {
                // Nobody waits any more once the worker is torn down.
                let _ = done.send(if written {
                    Written::Yes
                } else {
                    Written::Stale
                });
            }
        }
        landed.reply.claims
    }

    fn accept(&self, claim: Claim, queued: &mut Queued) {
        let Claim {
            id,
            attempt: number,
            max_attempts,
            handed_back,
            cancelled,
            metadata,
            given,
            wait,
            job,
        } = claim;
        let options = job.as_ref().ok().map(|job| &job.options);
        let timeout = options
            .and_then(|options| options.timeout_ms)
            .map(Duration::from_millis)
            .or(self.config.attempt_timeout);
        let attempt = Arc::new(Attempt {
            id,
            number,
            spent: number.saturating_sub(handed_back),
            max_attempts,
            retry: options
                .and_then(|options| options.retry)
                .unwrap_or_default(),
            timeout,
            renew_until: OnceLock::new(),
            slack: self.config.cancel_grace + self.config.lease,
            given,
            wait,
            cancelled: self.config.hard.child_token(),
            why: OnceLock::new(),
        });
        self.leases.insert(Arc::clone(&attempt));
        if cancelled {
            attempt.stop(StopReason::Cancelled);
        }
        match job {
            Ok(job) => {
                let handle = JobHandle::new(attempt, self.ops_sender.clone());
                let task = TaskBuilder::new(job)
                    .task_id(TaskId::from_string(id.to_string()))
                    // apalis counts the attempts before this one.
                    .attempt(number.saturating_sub(1) as usize)
                    .max_attempts(max_attempts as usize)
                    .queue(Queue::from(self.queue.as_str()))
                    .with_metadata(MetadataStore::from_map(metadata))
                    .data(handle)
                    .build();
                self.buffer.push(self.partition, task);
            }
            Err(failure) => {
                warn!(job = %id, attempt = number, %failure, "job can't be run");
                queued.push(Op::fail(id, number, failure));
            }
        }
    }
}

/// Waits until then, for ever if there is nothing to wait for.
async fn ripe(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

fn hand_back(task: &Task<Job>) -> Option<Op> {
    task.data()
        .get::<JobHandle>()
        .map(|handle| Op::hand_back(handle.id(), handle.attempt()))
}
