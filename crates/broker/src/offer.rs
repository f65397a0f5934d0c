//! How an idle worker gets a job that comes alone without looking for it: it offers itself with a round, and hears what it is
//! given on a channel of its own. What it does not hear, the next round tells it (`lua/round_new.lua`).

use std::{collections::VecDeque, future::Future, pin::Pin, sync::Arc, time::Duration};

use protocol::{JobId, QueueName};
use redis::Value;
use tracing::{debug, warn};

use crate::{
    Backoff, Error, Keys, Redis,
    round::{self, Claim, bytes},
    subscription::Subscription,
};

/// How many jobs that were told of by a round may still be heard of.
const TOLD: usize = 16;

/// What a round says of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms {
    /// Nothing.
    None,
    /// It is made.
    New(u64),
    /// It was made, and is not known to be taken.
    Stands(u64),
    /// The same, and it is not meant any more.
    Withdrawn(u64),
}

impl Terms {
    /// The same, said again: it may have been made, and taken.
    pub(crate) const fn again(self) -> Self {
        match self {
            Self::New(number) => Self::Stands(number),
            said => said,
        }
    }

    /// As scripts read them.
    pub(crate) fn arg(self) -> String {
        match self {
            Self::None => String::new(),
            Self::New(number) => format!("n{number}"),
            Self::Stands(number) => format!("s{number}"),
            Self::Withdrawn(number) => format!("w{number}"),
        }
    }
}

/// What a round found.
#[derive(Default)]
pub(crate) enum Found {
    /// There is no offer.
    #[default]
    Nothing,
    /// It stands.
    Standing,
    /// It was taken, and this is what it brought, unless that is over already.
    Given(Option<Box<Claim>>),
}

impl Found {
    /// Reads what a script says.
    pub(crate) fn read(said: &[Value], queue: &QueueName, run: &Arc<str>) -> Self {
        match said {
            [Value::Int(1)] => Self::Standing,
            [Value::Int(0)] => Self::Given(None),
            [Value::Int(0), id, record] => {
                let row = [bytes(id), bytes(record), b""];
                Self::Given(round::decode(queue, run, row).map(Box::new))
            }
            _ => Self::Nothing,
        }
    }
}

/// What a worker hears.
pub(crate) enum Heard {
    /// From now on it hears what it is given.
    Open,
    /// It was given a job.
    Given(Box<Claim>),
}

type Opening = Pin<Box<dyn Future<Output = Result<Subscription, Error>> + Send>>;

/// The ear of a worker.
enum Ear {
    Shut,
    Opening(Opening),
    Open(Subscription),
    /// Redis' user may not listen.
    Deaf,
}

/// What a worker has offered.
pub(crate) struct Offer {
    redis: Redis,
    queue: QueueName,
    channel: String,
    ear: Ear,
    backoff: Backoff,
    /// Of the offer that is made next, or was made last and is not known to be taken.
    number: u64,
    stands: bool,
    /// Whether a round is under way that speaks of it; only one does at a time.
    is_said: bool,
    /// What rounds told of lately.
    told: VecDeque<JobId>,
}

impl Offer {
    pub(crate) fn new(redis: Redis, keys: &Keys, worker: &str) -> Self {
        Self {
            redis,
            queue: keys.queue().clone(),
            channel: keys.hand(worker),
            ear: Ear::Shut,
            backoff: Backoff::default(),
            number: 1,
            stands: false,
            is_said: false,
            told: VecDeque::new(),
        }
    }

    /// Whether there is one that has to be withdrawn before the worker goes.
    pub(crate) const fn has_to_end(&self) -> bool {
        self.stands && !self.is_said
    }

    /// What the next round says of it; `is_meant` if the worker would take a job.
    pub(crate) fn say(&mut self, is_meant: bool) -> Terms {
        let is_meant = is_meant && matches!(self.ear, Ear::Open(_));
        if self.is_said || !is_meant && !self.stands {
            return Terms::None;
        }
        self.is_said = true;
        match (self.stands, is_meant) {
            (false, _) => Terms::New(self.number),
            (true, true) => Terms::Stands(self.number),
            (true, false) => Terms::Withdrawn(self.number),
        }
    }

    /// A round that spoke of it is over. Gives what it was given and has not heard of.
    pub(crate) fn settle(&mut self, terms: Terms, found: Found) -> Option<Claim> {
        let (Terms::New(number) | Terms::Stands(number) | Terms::Withdrawn(number)) = terms else {
            return None;
        };
        self.is_said = false;
        // Where it was heard of meanwhile, what the round says is of an offer that is over.
        let is_current = number == self.number;
        match found {
            _ if !is_current => None,
            Found::Nothing => {
                self.stands = false;
                None
            }
            Found::Standing => {
                self.stands = true;
                None
            }
            Found::Given(claim) => {
                self.over();
                let claim = *claim?;
                if self.told.len() == TOLD {
                    self.told.pop_front();
                }
                self.told.push_back(claim.id);
                Some(claim)
            }
        }
    }

    /// The next has another number.
    const fn over(&mut self) {
        self.number += 1;
        self.stands = false;
    }

    /// Waits for news; opens the ear first, if `begin`.
    ///
    /// Dropping this future loses nothing.
    pub(crate) async fn heard(&mut self, begin: bool) -> Heard {
        loop {
            match &mut self.ear {
                Ear::Deaf => return std::future::pending().await,
                Ear::Shut if !begin => return std::future::pending().await,
                Ear::Shut => {
                    let pause = (self.backoff.tries() > 0).then(|| self.backoff.pause());
                    let opening = open(self.redis.clone(), self.channel.clone(), pause);
                    self.ear = Ear::Opening(Box::pin(opening));
                }
                Ear::Opening(opening) => match opening.await {
                    Ok(subscription) => {
                        self.backoff.reset();
                        self.ear = Ear::Open(subscription);
                        return Heard::Open;
                    }
                    // It looks for all jobs when it is woken, as it does for those that do not come alone.
                    Err(error) if error.is_denied() => {
                        warn!(channel = self.channel, %error, "jobs are not handed over: every job waits to be asked for");
                        self.ear = Ear::Deaf;
                    }
                    Err(error) => {
                        debug!(channel = self.channel, %error, "jobs are not handed over now");
                        self.shut();
                    }
                },
                Ear::Open(subscription) => match subscription.next().await {
                    Some(message) => {
                        if let Some(claim) = self.read(message.get_payload_bytes()) {
                            return Heard::Given(Box::new(claim));
                        }
                    }
                    None => self.shut(),
                },
            }
        }
    }

    /// The same, which has not heard what came until now.
    #[cfg(feature = "testing")]
    pub(crate) fn deaf(self) -> Self {
        Self {
            ear: Ear::Shut,
            ..self
        }
    }

    fn shut(&mut self) {
        self.ear = Ear::Shut;
        // The next try waits.
        self.backoff.pause();
    }

    /// What a message gives: the offer's number, which run of Redis this is, the job's id, and in the next lines the job.
    fn read(&mut self, message: &[u8]) -> Option<Claim> {
        let end = message.iter().position(|byte| *byte == b'\n')?;
        let mut words = std::str::from_utf8(&message[..end]).ok()?.split(' ');
        let number: u64 = words.next()?.parse().ok()?;
        let run = Arc::from(words.next()?);
        let id = words.next()?;
        if number == self.number {
            self.over();
        }
        if self.told.iter().any(|told| told.to_string() == id) {
            return None;
        }
        let row = [id.as_bytes(), &message[end + 1..], b""];
        round::decode(&self.queue, &run, row)
    }
}

async fn open(
    redis: Redis,
    channel: String,
    pause: Option<Duration>,
) -> Result<Subscription, Error> {
    if let Some(pause) = pause {
        tokio::time::sleep(pause).await;
    }
    let mut subscription = redis.subscription(&channel, pause.is_some()).await?;
    subscription.set(&[channel], true).await?;
    Ok(subscription)
}
