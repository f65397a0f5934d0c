//! The loop of a manager that hands in what is due: claims schedules, hands their runs in, and settles the claims.
//!
//! Never runs a job, and never decides alone: another manager may claim what this one did not settle in time, and hand in
//! the same run, which is the same job then. What the queue does not take now is left to the next claim.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use broker::{
    Backoff, Claim, Claims, Error, Inspector, Producer, ProducerConfig, QueueArgs, Receipt, Redis,
    Schedules, Settlement, SubmitError,
};
use futures_util::future::join_all;
use protocol::{LastRun, QueueName, Schedule};
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, error, info, warn};

use super::{ScheduleBook, ScheduleError, ScheduleFile, plan::Plan, run::Run};
use crate::Metrics;

/// How long a schedule that is due is one manager's.
const LEASE: Duration = Duration::from_secs(10);
/// How late in a lease a run may still be handed in. Storing it takes at most as long again.
const HALF: Duration = Duration::from_secs(5);
/// How many schedules are claimed at once.
const CLAIMS: usize = 128;
/// How often in turn one queue's schedules are claimed.
const CLAIMS_IN_TURN: usize = 8;
/// About how many runs are handed in for one claim, so that no lease is over before all are.
const RUNS: usize = 1_000;
/// How long the list of queues is good for: the first schedule of a new queue may be overlooked for so long.
const LOOK: Duration = Duration::from_secs(3);
/// How long any other schedule that was just put may be overlooked.
const REST: Duration = Duration::from_secs(1);

/// How long a round may take to end when the manager is to stop.
const LAST: Duration = Duration::from_secs(2);

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Runs that were handed in and were not there before.
    pub runs: u64,
    /// Runs that another manager, or this one in an earlier round, had handed in already.
    pub again: u64,
    /// Runs that the queue did not take, and which will be tried again.
    pub refused: u64,
    /// How long there is nothing to do.
    pub rest: Duration,
}

/// Where what became of a run is told.
type Answer = oneshot::Receiver<Result<Receipt, SubmitError>>;

/// Hands in what schedules say, for all queues under a prefix.
pub struct Scheduler {
    redis: Redis,
    schedules: Schedules,
    inspector: Inspector,
    keep: QueueArgs,
    metrics: Metrics,
    tracker: TaskTracker,
    hard: CancellationToken,
    producers: HashMap<QueueName, Producer>,
    queues: Vec<QueueName>,
    /// When the queues were last listed; `None` when that is to be done next.
    looked: Option<Instant>,
    /// Queues whose schedules can't be read although Redis answers; so that each is logged once.
    broken: HashSet<QueueName>,
    /// What is to be as a file says, until it is.
    file: Option<ScheduleFile>,
    backoff: Backoff,
}

impl Scheduler {
    /// A scheduler whose jobs are stored on `tracker`'s tasks, and given up when `hard` is cancelled.
    pub fn new(
        redis: Redis,
        keep: QueueArgs,
        metrics: Metrics,
        tracker: TaskTracker,
        hard: CancellationToken,
    ) -> Self {
        Self {
            schedules: Schedules::new(redis.clone()),
            inspector: Inspector::new(redis.clone()),
            redis,
            keep,
            metrics,
            tracker,
            hard,
            producers: HashMap::new(),
            queues: Vec::new(),
            looked: None,
            broken: HashSet::new(),
            file: None,
            backoff: Backoff::default(),
        }
    }

    /// Applies a file before the first round.
    #[must_use]
    pub fn with_file(mut self, file: Option<ScheduleFile>) -> Self {
        self.file = file;
        self
    }

    /// Rounds whenever something is due, until `soft` is cancelled. One under way may end then: what is interrupted between
    /// two steps is as if this manager had been killed, and another goes on with it only when the lease is over.
    pub async fn run(mut self, soft: CancellationToken) {
        while !soft.is_cancelled() {
            let patience = async {
                soft.cancelled().await;
                tokio::time::sleep(LAST).await;
            };
            let result = tokio::select! {
                result = self.run_once() => result,
                () = patience => return,
            };
            let rest = match result {
                Ok(ran) => {
                    self.backoff.reset();
                    ran.rest
                }
                Err(error) => {
                    debug!(%error, "schedules wait for Redis");
                    // Redis may come back with other data.
                    self.looked = None;
                    self.backoff.pause()
                }
            };
            soft.run_until_cancelled(tokio::time::sleep(rest)).await;
        }
    }

    /// One round over all queues: hands in what is due now. Fails when Redis does not answer.
    pub async fn run_once(&mut self) -> Result<Ran, Error> {
        if let Some(file) = &self.file {
            self.apply(file).await?;
            self.file = None;
            self.looked = None;
        }
        // Without a queue the list is all that there is to ask for.
        if self.queues.is_empty() || self.looked.is_none_or(|at| at.elapsed() >= LOOK) {
            self.queues = self.inspector.queues().await?;
            self.producers
                .retain(|queue, _| self.queues.contains(queue));
            self.broken.retain(|queue| self.queues.contains(queue));
            self.looked = Some(Instant::now());
        }
        let mut ran = Ran {
            rest: REST,
            ..Ran::default()
        };
        for queue in self.queues.clone() {
            match self.serve(&queue, &mut ran).await {
                Ok(()) => {
                    self.broken.remove(&queue);
                }
                Err(error) if error.is_temporary() => return Err(error),
                // One damaged queue must not keep the others from running.
                Err(error) => {
                    if self.broken.insert(queue.clone()) {
                        error!(%queue, %error, "schedules can't be run");
                    }
                }
            }
        }
        Ok(ran)
    }

    async fn apply(&self, file: &ScheduleFile) -> Result<(), Error> {
        let book = ScheduleBook::new(self.redis.clone(), self.keep.clone());
        match file.apply(&book, false).await {
            Ok(changes) => {
                for change in changes.iter().filter(|change| !change.is_none()) {
                    info!(source = %file.source(), %change, "schedules of a file");
                }
                Ok(())
            }
            Err(ScheduleError::Redis(error)) => Err(error),
            Err(error) => {
                error!(source = %file.source(), %error, "a file of schedules is not applied");
                Ok(())
            }
        }
    }

    /// What is due in one queue.
    async fn serve(&mut self, queue: &QueueName, ran: &mut Ran) -> Result<(), Error> {
        for _ in 0..CLAIMS_IN_TURN {
            let began = Instant::now();
            let claims = self.schedules.claim(queue, LEASE, CLAIMS).await?;
            for (name, error) in &claims.unreadable {
                warn!(%queue, name, %error, "a schedule can't be read");
            }
            self.hand_in(queue, &claims, began, ran).await?;
            if claims.claims.len() + claims.unreadable.len() < CLAIMS {
                let next = claims.next_at.unwrap_or(u64::MAX);
                let wait = Duration::from_millis(next.saturating_sub(claims.now));
                ran.rest = ran.rest.min(wait.saturating_sub(began.elapsed()));
                return Ok(());
            }
        }
        // There may be more, but other queues have waited long enough.
        ran.rest = Duration::ZERO;
        Ok(())
    }

    async fn hand_in(
        &mut self,
        queue: &QueueName,
        claims: &Claims,
        began: Instant,
        ran: &mut Ran,
    ) -> Result<(), Error> {
        if claims.claims.is_empty() {
            return Ok(());
        }
        let most = (RUNS / claims.claims.len()).max(1);
        let producer = self.producer(queue);
        let turns = claims
            .claims
            .iter()
            .map(|claim| turn(&producer, claim, claims.now, most, began));
        let mut ends = Vec::with_capacity(claims.claims.len());
        for turn in join_all(turns).await {
            ran.runs += turn.new;
            ran.again += turn.known;
            ran.refused += turn.refused;
            // What a rest would hide: there is more of it.
            if turn
                .end
                .as_ref()
                .is_some_and(|end| end.next.is_some_and(|next| next <= claims.now))
            {
                ran.rest = Duration::ZERO;
            }
            ends.extend(turn.end);
            self.metrics.scheduled(turn.new, turn.refused);
        }
        let held = self.schedules.settle(queue, claims, &ends).await?;
        let lost = held.iter().filter(|held| !**held).count();
        if lost > 0 {
            debug!(%queue, lost, "claims were over, or their schedules changed");
        }
        Ok(())
    }

    fn producer(&mut self, queue: &QueueName) -> Producer {
        let spawn = || {
            let config = ProducerConfig {
                accept_timeout: HALF,
                hard: self.hard.clone(),
                ..ProducerConfig::default()
            };
            Producer::spawn(
                self.redis.clone(),
                queue.clone(),
                self.keep.clone(),
                config,
                &self.tracker,
            )
        };
        self.producers
            .entry(queue.clone())
            .or_insert_with(spawn)
            .clone()
    }
}

/// What became of a claim.
#[derive(Default)]
struct Turn {
    new: u64,
    known: u64,
    refused: u64,
    /// `None` where the claim is left to run out, so that it is tried again.
    end: Option<Settlement>,
}

/// Hands in what is due of a schedule.
async fn turn(producer: &Producer, claim: &Claim, now: u64, most: usize, began: Instant) -> Turn {
    let (schedule, mut turn) = (&claim.schedule, Turn::default());
    let (queue, name) = (producer.queue(), &schedule.name);
    let plan = match Plan::of(&schedule.when) {
        Ok(plan) => plan,
        Err(error) => {
            warn!(%queue, schedule = %name, %error, "a schedule makes no sense here");
            return turn;
        }
    };
    let due = plan.due(claim.due, now, schedule.missed, most);
    let first = due.runs.first().copied().or(due.next);
    if first != Some(claim.due) {
        info!(%queue, schedule = %name, from = claim.due, "missed runs are skipped");
    }
    // One after the other, so that the oldest is first in line; what becomes of them is waited for together.
    let mut handed = Vec::with_capacity(due.runs.len());
    for at in due.runs {
        handed.push((at, hand_in(producer, schedule, at, began).await));
    }
    let mut last = None;
    for (at, answer) in handed {
        let answer = answer.await.unwrap_or(Err(SubmitError::Stopping));
        last = turn.count(queue, schedule, at, answer).or(last);
    }
    if turn.refused == 0 {
        turn.end = Some(Settlement {
            name: name.clone(),
            next: due.next,
            last,
        });
    }
    turn
}

/// Hands in one run, and says where to hear what became of it.
async fn hand_in(producer: &Producer, schedule: &Schedule, at: u64, began: Instant) -> Answer {
    let (tell, answer) = oneshot::channel();
    match Run::of(schedule, at) {
        // This process may have stood still, and the schedule be another manager's by now.
        Ok(run) if began.elapsed() < HALF => {
            let told = move |result| drop(tell.send(result));
            producer.hand_in(run.id, run.job, told).await;
        }
        _ => drop(tell.send(Err(SubmitError::Unconfirmed))),
    }
    answer
}

impl Turn {
    /// Counts what became of a run; gives it if it is a job now.
    fn count(
        &mut self,
        queue: &QueueName,
        schedule: &Schedule,
        at: u64,
        answer: Result<Receipt, SubmitError>,
    ) -> Option<LastRun> {
        let name = &schedule.name;
        match answer {
            Ok(receipt) => {
                if receipt.duplicate {
                    self.known += 1;
                } else {
                    self.new += 1;
                }
                return Some(LastRun {
                    at,
                    job: receipt.id,
                });
            }
            Err(SubmitError::Conflict) => {
                warn!(%queue, schedule = %name, at, "a run was handed in before, and otherwise");
                self.known += 1;
            }
            // It would never be taken.
            Err(SubmitError::Invalid(error)) => {
                error!(%queue, schedule = %name, at, %error, "a run is given up");
            }
            Err(error) => {
                warn!(%queue, schedule = %name, at, %error, "a run is not taken now");
                self.refused += 1;
            }
        }
        None
    }
}
