//! The one task of a worker that talks to its queue: round after round, each as large as what came up meanwhile.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use apalis_core::{
    backend::queue::Queue,
    task::{Task, builder::TaskBuilder, metadata::MetadataStore, task_id::TaskId},
};
use protocol::Job;
use rand::RngExt as _;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    Backoff, ConsumerConfig, JobHandle, Keys, QueueArgs, Redis, StopReason,
    buffer::Buffer,
    handle::{Attempt, Op, Written},
    lease::Leases,
    round::{Claim, Reply, Round},
    wake::Wake,
};

/// How many operations, and after how many bytes no further one, go in one round.
const MAX_OPS: usize = 256;
const MAX_OP_BYTES: usize = 1024 * 1024;
/// How many jobs one round takes at most.
const MAX_CLAIM: usize = 128;
/// How long an idle worker waits at most before it looks again: a wake-up that its receiver took to the grave is
/// made good after this long.
const IDLE: Duration = Duration::from_millis(2_500);

/// How long operations may still take to reach Redis once the process must stop.
const LAST_WAIT: Duration = Duration::from_secs(2);

pub(crate) struct Driver {
    pub(crate) redis: Redis,
    pub(crate) keys: Keys,
    pub(crate) args: QueueArgs,
    pub(crate) config: ConsumerConfig,
    pub(crate) ops: mpsc::Receiver<Op>,
    /// For the handles of claimed jobs.
    pub(crate) ops_sender: mpsc::Sender<Op>,
    pub(crate) buffer: Arc<Buffer>,
    pub(crate) leases: Arc<Leases>,
    /// The kinds that the worker has, as scripts read them.
    pub(crate) kinds: String,
    /// Told when there may be something for this worker alone.
    pub(crate) look: Arc<Notify>,
    /// Cancelled when no attempt runs any more and none will begin.
    pub(crate) closing: CancellationToken,
}

impl Driver {
    pub(crate) async fn run(mut self) {
        let mut wake = Wake::new(self.redis.clone(), &self.keys);
        let mut batch: Vec<Op> = Vec::new();
        let mut outstanding = 0;
        let mut number = 0;
        // Whether there may be something to take, and how long to believe that there is not.
        let mut look = true;
        let mut rest = IDLE;
        let mut stopping = false;
        loop {
            self.config.pulse.beat();
            self.collect(&mut batch);
            if !stopping && self.config.soft.is_cancelled() {
                stopping = true;
                batch.extend(self.buffer.take_all().iter().filter_map(hand_back));
            }
            // What this round ends makes room for what it takes.
            let ending = batch.iter().filter(|op| op.ends()).count();
            let free = if stopping {
                0
            } else {
                self.config.capacity.saturating_sub(outstanding - ending)
            };
            if batch.is_empty() && !look {
                if self.closing.is_cancelled() && outstanding == 0 {
                    break;
                }
                tokio::select! {
                    Some(op) = self.ops.recv() => batch.push(op),
                    () = wake.woken(free > 0) => look = true,
                    () = self.look.notified(), if free > 0 => look = true,
                    // Who can take nothing turns too, so that it is seen to live.
                    () = tokio::time::sleep(if free > 0 { rest } else { IDLE }) => look = free > 0,
                    () = self.config.soft.cancelled(), if !stopping => {}
                    () = self.closing.cancelled(), if outstanding == 0 => {}
                }
                continue;
            }
            number += 1;
            let want = free.min(MAX_CLAIM);
            let Some(reply) = self
                .round(&mut number, &mut batch, &mut outstanding, want)
                .await
            else {
                break;
            };
            outstanding -= self.settle(&mut batch, &reply.written);
            outstanding += reply.claims.len();
            look = want > 0 && reply.claims.len() == want && outstanding < self.config.capacity;
            rest = reply
                .due_ms
                .map_or(IDLE, |due| IDLE.min(Duration::from_millis(due + 1)));
            // Idle workers should not look in step.
            rest = rest.mul_f64(rand::rng().random_range(1.0..=1.1));
            for claim in reply.claims {
                self.accept(claim, &mut batch);
            }
        }
        self.config.ready.send_replace(false);
    }

    fn collect(&mut self, batch: &mut Vec<Op>) {
        let mut bytes: usize = batch.iter().map(Op::bytes).sum();
        while batch.len() < MAX_OPS && bytes < MAX_OP_BYTES {
            let Ok(op) = self.ops.try_recv() else { break };
            bytes += op.bytes();
            batch.push(op);
        }
    }

    /// Runs a round until it is answered; `None` when the process must stop and Redis does not answer.
    async fn round(
        &self,
        number: &mut u64,
        batch: &mut Vec<Op>,
        outstanding: &mut usize,
        want: usize,
    ) -> Option<Reply> {
        let mut backoff = Backoff::default();
        let mut want = want;
        loop {
            let round = Round {
                worker: &self.config.worker,
                number: *number,
                lease_ms: u64::try_from(self.config.lease.as_millis()).unwrap_or(u64::MAX),
                want,
                kinds: &self.kinds,
                ops: batch,
            };
            let answer = tokio::select! {
                answer = round.run(&self.redis, &self.keys, &self.args) => answer,
                () = self.over() => return None,
            };
            match answer {
                Ok(reply) => {
                    if backoff.tries() > 0 {
                        info!(worker = self.config.worker, "Redis answers again");
                    }
                    self.config
                        .ready
                        .send_if_modified(|ready| !std::mem::replace(ready, true));
                    return Some(reply);
                }
                Err(error) if error.is_temporary() => {
                    if backoff.tries() == 0 {
                        warn!(worker = self.config.worker, %error, "Redis does not answer, trying again");
                    }
                }
                Err(error) if batch.is_empty() => {
                    error!(worker = self.config.worker, %error, "jobs can't be claimed");
                }
                Err(error) => {
                    // A round that can never succeed would stop the worker for good: give up what is in it.
                    // The jobs run again when their leases are over.
                    let given_up = batch.split_off(batch.len() / 2);
                    error!(worker = self.config.worker, %error, ops = given_up.len(), "operations given up");
                    for op in given_up.into_iter().filter(Op::ends) {
                        self.leases.remove(op.id, op.attempt);
                        *outstanding -= 1;
                    }
                    want = 0;
                    *number += 1;
                }
            }
            self.config
                .ready
                .send_if_modified(|ready| std::mem::replace(ready, false));
            self.config.pulse.beat();
            let pause = backoff.pause();
            if batch.is_empty() {
                // Who stops wants nothing more of Redis, so there is nothing to wait for.
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.config.soft.cancelled() => return Some(Reply::default()),
                }
            } else {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.over() => return None,
                }
            }
        }
    }

    /// Waits until the process may not wait for Redis any longer: a moment after it must stop.
    async fn over(&self) {
        self.config.hard.cancelled().await;
        tokio::time::sleep(LAST_WAIT).await;
    }

    /// Tells of each operation whether it was written, and says how many attempts are over.
    fn settle(&self, batch: &mut Vec<Op>, written: &[bool]) -> usize {
        let mut over = 0;
        for (op, written) in batch.drain(..).zip(written) {
            if op.ends() {
                over += 1;
                self.leases.remove(op.id, op.attempt);
            } else if !written {
                self.leases.stop(op.id, op.attempt, StopReason::LeaseLost);
            }
            if let Some(done) = op.done {
                // Nobody waits any more once the worker is torn down.
                let _ = done.send(if *written {
                    Written::Yes
                } else {
                    Written::Stale
                });
            }
        }
        over
    }

    fn accept(&self, claim: Claim, batch: &mut Vec<Op>) {
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
                    .queue(Queue::from(self.keys.queue().as_str()))
                    .with_metadata(MetadataStore::from_map(metadata))
                    .data(handle)
                    .build();
                self.buffer.push(task);
            }
            Err(failure) => {
                warn!(job = %id, attempt = number, %failure, "job can't be run");
                batch.push(Op::fail(id, number, failure));
            }
        }
    }
}

fn hand_back(task: &Task<Job>) -> Option<Op> {
    task.data()
        .get::<JobHandle>()
        .map(|handle| Op::hand_back(handle.id(), handle.attempt()))
}
