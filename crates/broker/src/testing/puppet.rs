//! A worker that a test moves by hand: one call is one script, and nothing happens between two calls.
//!
//! It speaks to Redis as a real worker does, and may do what a real one does only when all goes wrong: send a round
//! again, number it as it likes, and write about attempts that it does not hold.

mod ear;

use std::{collections::HashMap, sync::Arc, time::Duration};

use protocol::{EventType, Failure, Job, JobId, Kind, QueueName};
use serde_json::value::RawValue;

use crate::{
    Error, Keys, QueueArgs, Redis,
    beat::Beat,
    given::Given,
    handle::{Action, Op},
    offer::{Offer, Terms},
    outcome::Outcome,
    registry,
    round::{Claim, Reply, Round},
};

/// What a puppet writes about an attempt.
#[derive(Clone, Debug)]
pub struct Act {
    /// The job.
    pub id: JobId,
    /// The number of the attempt.
    pub attempt: u32,
    /// What it says of it.
    pub what: What,
}

/// How an attempt ends, or what it tells.
#[derive(Clone, Debug)]
pub enum What {
    /// It completed with a result.
    Complete(Box<RawValue>),
    /// It failed and wants another attempt after a pause.
    Retry(Failure, Duration),
    /// It failed for good.
    Fail(Failure),
    /// It is handed back.
    HandBack,
    /// It ended because its cancellation was asked for.
    Cancel,
    /// It goes on, and has something to tell.
    Emit(EventType, Box<RawValue>),
}

/// An attempt that a puppet was given.
#[derive(Clone, Debug)]
pub struct Held {
    /// The job.
    pub id: JobId,
    /// The number of the attempt.
    pub attempt: u32,
    /// How often the job may be tried.
    pub max_attempts: u32,
    /// How many attempts before this one do not count.
    pub handed_back: u32,
    /// Whether its cancellation was asked for already.
    pub cancelled: bool,
    /// The job, or why it can't be run.
    pub job: Result<Job, Failure>,
}

/// What a round brought.
#[derive(Clone, Debug)]
pub struct Answer {
    /// For each act, whether it was written.
    pub written: Vec<bool>,
    /// What was taken.
    pub claims: Vec<Held>,
    /// In how many milliseconds something falls due, if anything will.
    pub due_ms: Option<u64>,
}

/// A round as it was sent last.
struct Sent {
    number: u64,
    lease_ms: u64,
    want: usize,
    /// What it says of its offer.
    offer: Terms,
    ops: Vec<Op>,
}

/// A worker moved by hand.
pub struct Puppet {
    redis: Redis,
    keys: Keys,
    args: QueueArgs,
    name: String,
    kinds: String,
    sent: Sent,
    /// What it was given, as a worker keeps it with its attempts.
    given: HashMap<(JobId, u32), Arc<Given>>,
    /// What it offers, once it listens.
    offer: Option<Offer>,
}

impl Puppet {
    /// One that nobody knows of yet: it has made no round and given no sign of life. No kinds means all.
    pub fn new(
        redis: Redis,
        queue: QueueName,
        args: QueueArgs,
        name: impl Into<String>,
        kinds: &[Kind],
    ) -> Self {
        let keys = Keys::new(redis.prefix(), queue);
        Self {
            redis,
            keys,
            args,
            name: name.into(),
            kinds: registry::words(kinds),
            given: HashMap::new(),
            offer: None,
            sent: Sent {
                number: 0,
                lease_ms: 0,
                want: 0,
                offer: Terms::None,
                ops: Vec::new(),
            },
        }
    }

    /// Its name in Redis.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of its last round.
    pub const fn number(&self) -> u64 {
        self.sent.number
    }

    /// Has handlers for other kinds from now on. It says so with its next beat.
    pub fn learn(&mut self, kinds: &[Kind]) {
        self.kinds = registry::words(kinds);
    }

    /// The next round: writes acts and takes up to `want` jobs.
    pub async fn round(
        &mut self,
        acts: &[Act],
        want: usize,
        lease: Duration,
    ) -> Result<Answer, Error> {
        self.round_numbered(self.sent.number + 1, acts, want, lease)
            .await
    }

    /// A round of any number.
    pub async fn round_numbered(
        &mut self,
        number: u64,
        acts: &[Act],
        want: usize,
        lease: Duration,
    ) -> Result<Answer, Error> {
        self.sent = Sent {
            number,
            lease_ms: millis(lease),
            want,
            offer: Terms::None,
            ops: acts.iter().cloned().map(|act| self.op(act)).collect(),
        };
        self.first().await
    }

    /// Sends the last round again, as after an answer that was lost.
    pub async fn repeat(&mut self) -> Result<Answer, Error> {
        self.sent.offer = self.sent.offer.again();
        self.first().await
    }

    async fn first(&mut self) -> Result<Answer, Error> {
        let mut reply = self.send().await?;
        let said = std::mem::take(&mut reply.offer);
        let given = self.offer.as_mut();
        let given = given.and_then(|offer| offer.settle(self.sent.offer, said));
        reply.claims.extend(given);
        Ok(self.answer(reply))
    }

    async fn send(&mut self) -> Result<Reply, Error> {
        let round = Round {
            worker: &self.name,
            slot: 0,
            number: self.sent.number,
            lease_ms: self.sent.lease_ms,
            want: self.sent.want,
            kinds: &self.kinds,
            offer: self.sent.offer,
            ops: &self.sent.ops,
        };
        round.run(&self.redis, &self.keys, &self.args).await
    }

    fn op(&self, act: Act) -> Op {
        let action = match act.what {
            What::Complete(result) => Action::End(Outcome::Complete(result)),
            What::Retry(failure, pause) => Action::End(Outcome::Retry(failure, pause)),
            What::Fail(failure) => Action::End(Outcome::Fail(failure)),
            What::HandBack => Action::End(Outcome::HandBack),
            What::Cancel => Action::End(Outcome::Cancel),
            What::Emit(event, data) => Action::Emit(event, data),
        };
        Op {
            id: act.id,
            attempt: act.attempt,
            action,
            given: self.given.get(&(act.id, act.attempt)).cloned(),
            done: None,
        }
    }

    fn answer(&mut self, reply: Reply) -> Answer {
        let mut claims = Vec::new();
        for claim in reply.claims {
            claims.push(self.hold(claim));
        }
        Answer {
            written: reply.written,
            claims,
            due_ms: reply.due_ms,
        }
    }

    fn hold(&mut self, claim: Claim) -> Held {
        let attempt = (claim.id, claim.attempt);
        self.given.extend(claim.given.map(|given| (attempt, given)));
        Held {
            id: claim.id,
            attempt: claim.attempt,
            max_attempts: claim.max_attempts,
            handed_back: claim.handed_back,
            cancelled: claim.cancelled,
            job: claim.job,
        }
    }

    /// Gives a sign of life with a lease of its choosing; says which jobs are lost and which are to be cancelled.
    pub async fn beat(
        &self,
        lease: Duration,
        held: &[(JobId, u32)],
    ) -> Result<(Vec<JobId>, Vec<JobId>), Error> {
        self.sign(millis(lease), false, held).await
    }

    /// Leaves the registry.
    pub async fn leave(&self) -> Result<(), Error> {
        self.sign(0, true, &[]).await.map(drop)
    }

    async fn sign(
        &self,
        lease_ms: u64,
        leaving: bool,
        held: &[(JobId, u32)],
    ) -> Result<(Vec<JobId>, Vec<JobId>), Error> {
        let beat = Beat {
            worker: &self.name,
            lease_ms,
            leaving,
            about: "{}",
            kinds: &self.kinds,
            held,
        };
        let (lost, cancelled) = beat.run(&self.redis, &self.keys).await?;
        Ok((ids(&lost), ids(&cancelled)))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn ids(texts: &[String]) -> Vec<JobId> {
    let parse = |text: &String| text.parse().expect("a script returns the ids that it got");
    texts.iter().map(parse).collect()
}
