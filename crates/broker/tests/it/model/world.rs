//! A queue on a real Redis beside the model of it: every operation is done to both, and both must answer the same.

use std::{
    collections::BTreeMap,
    fmt::{Debug, Display},
    time::Duration,
};

use broker::{
    Control, NewId, Producer, ProducerConfig, QueueArgs, Redis, SubmitError,
    testing::{Act, Answer, Puppet, TestRedis, fresh},
};
use futures_util::future::join_all;
use protocol::{JobId, Kind, QueueName, Topic};
use tokio_util::task::TaskTracker;

use super::{
    book::{Book, Event},
    desk::{self, Heard},
    laws,
    op::{KINDS, NewJob, Op, Pick, TENANTS, Try, WORKERS},
    raw::Raw,
    real::{job, new_id, what},
};

pub const BASE: &str = "test{chat}:";
pub const HOUR: Duration = Duration::from_secs(3600);

/// What a step that does not fit says.
pub type Fits = Result<(), String>;

/// Compares what is with what should be.
pub fn same<T: PartialEq + Debug>(what: impl Display, is: &T, should: &T) -> Fits {
    if is == should {
        return Ok(());
    }
    Err(format!("{what}:\n      is {is:?}\n  should {should:?}"))
}

/// A round as a worker sent it last.
type Sent = (Vec<Act>, usize, bool);

pub struct World<'a> {
    pub server: &'a mut TestRedis,
    pub redis: Redis,
    pub queue: QueueName,
    pub args: QueueArgs,
    pub producer: Producer,
    pub control: Control,
    pub puppets: Vec<Puppet>,
    pub sent: [Sent; 3],
    /// Whose last round spoke of its offer.
    pub is_offer: [bool; 3],
    /// Who had offered itself before the step, the first first; nobody where something is set.
    pub offered: Vec<usize>,
    pub raw: Raw,
    pub book: Book,
    /// The epoch of each log.
    pub epochs: BTreeMap<String, String>,
    /// Which run of Redis wrote each log last.
    pub runs: BTreeMap<String, String>,
    /// What each log holds, the end of a job in its own one included.
    pub entries: BTreeMap<String, Vec<String>>,
    /// Entries of logs as they were read, for not doing it at each step.
    pub events: BTreeMap<String, Event>,
    /// The parcel of each job that is in one.
    pub together: BTreeMap<String, String>,
    /// Whether the step ran a script that wakes workers.
    pub wakes: bool,
    /// The kinds that jobs are set aside of, in the order in which Redis goes through them, which is any.
    pub asides: Vec<usize>,
}

impl<'a> World<'a> {
    /// An empty queue that keeps so many finished jobs, with a worker of all kinds of which nobody knows yet, and two
    /// more that have some.
    pub async fn new(server: &'a mut TestRedis, keep_jobs: usize) -> Self {
        let _: String = server.command(&["FLUSHALL"]).await;
        let redis = server.connect("test");
        let queue = QueueName::new("chat").unwrap();
        let args = QueueArgs {
            keep_jobs: keep_jobs as u64,
            ..QueueArgs::default()
        };
        let producer = Producer::spawn(
            redis.clone(),
            queue.clone(),
            args.clone(),
            ProducerConfig::default(),
            &TaskTracker::new(),
        );
        let puppet = |name| Puppet::new(redis.clone(), queue.clone(), args.clone(), name, &[]);
        let mut world = Self {
            producer,
            control: Control::new(redis.clone(), args.clone()),
            puppets: WORKERS.into_iter().map(puppet).collect(),
            sent: std::array::from_fn(|_| Sent::default()),
            is_offer: [false; 3],
            offered: Vec::new(),
            raw: Raw::new(server).await,
            book: Book {
                keep_jobs,
                ..Book::default()
            },
            epochs: BTreeMap::new(),
            entries: BTreeMap::new(),
            runs: BTreeMap::new(),
            events: BTreeMap::new(),
            together: BTreeMap::new(),
            wakes: false,
            asides: Vec::new(),
            server,
            redis,
            queue,
            args,
        };
        world.puppets[0].listen().await;
        world.join(1, vec![0]).await.unwrap();
        world.join(2, vec![1, 2]).await.unwrap();
        world
    }

    /// One operation, and a look at everything after it.
    pub async fn step(&mut self, op: &Op) -> Fits {
        let mut before = redis::pipe();
        before.del(format!("{BASE}wake"));
        for worker in WORKERS {
            before.del(format!("{BASE}inbox:{worker}"));
        }
        self.raw.pipe(&before).await;
        self.renew_offers().await;
        let names = self.raw.members(&format!("{BASE}asides")).await;
        self.asides = names.iter().map(|name| Book::kind(name)).collect();
        self.book.told.clear();
        self.book.said.clear();
        self.book.set_aside.clear();
        self.book.ended.clear();
        self.wakes = match op {
            Op::EnqueueAgain(pick, _) => self.book.pick(*pick, 0).is_some(),
            Op::Leave(_) | Op::FlushScripts => false,
            _ => !op.is_time(),
        };
        self.apply(op).await?;
        let dump = self.dump().await;
        if self.book.trims.iter().any(|(_, over)| *over > 0) {
            let is_there = |id| dump.contains_key(&format!("{BASE}job:{id}"));
            self.book.trim_away(is_there);
        }
        let scores = self.book.settle(&self.together);
        self.write_scores(scores).await;
        let dump = self.dump().await;
        self.check(&dump)?;
        let published = self.raw.published().await;
        if matches!(op, Op::Crash(_)) {
            // Who was subscribed is not any more; what was missed is in the logs.
            return Ok(());
        }
        self.check_published(&published)
    }

    async fn apply(&mut self, op: &Op) -> Fits {
        match op {
            Op::Enqueue(jobs) => self.enqueue_new(jobs).await,
            Op::Bunch(job, n) => self.enqueue_new(&vec![job.clone(); *n]).await,
            Op::Flood(job) => self.enqueue_new(&vec![job.clone(); 70]).await,
            Op::EnqueueAgain(pick, payload) => {
                let Some(id) = self.book.pick(*pick, 0) else {
                    return Ok(());
                };
                let known = self.book.known.iter().find(|(known, _)| *known == id);
                let (_, mut job) = known.expect("every job is known").clone();
                job.payload = payload.unwrap_or(job.payload);
                self.enqueue(vec![(id, job)], false).await
            }
            Op::Round(who, tries, want, no_lease) => {
                let acts = tries.iter().filter_map(|one| self.act(*who, one)).collect();
                self.round(*who, acts, *want, *no_lease).await
            }
            Op::Finish(who, left, want) => {
                let acts = self.all_done(*who).into_iter().skip(*left).collect();
                self.round(*who, acts, *want, false).await
            }
            Op::Offer(who, want, is_meant, hears) => {
                self.offer(*who, *want, *is_meant, *hears).await
            }
            // What a round says of an offer it says otherwise when it is sent again (`hand.rs` of the tests).
            Op::Repeat(who) if self.is_offer[*who] => {
                self.wakes = false;
                Ok(())
            }
            Op::Repeat(who) => {
                self.wakes = self
                    .book
                    .remembered(*who, self.puppets[*who].number())
                    .is_none();
                let answer = self.puppets[*who].repeat().await;
                self.compare_round(*who, &answer.unwrap())
            }
            Op::Beat(who, no_lease, held) => self.beat(*who, *no_lease, held).await,
            Op::Leave(who) => {
                self.puppets[*who].leave().await.unwrap();
                self.end_offer(*who).await;
                self.book.staff[*who].alive = false;
                Ok(())
            }
            Op::Join(who, kinds) => self.join(*who, kinds.clone()).await,
            op if op.is_time() => {
                self.pass_time(op).await;
                Ok(())
            }
            Op::FlushScripts => {
                let _: String = self.server.command(&["SCRIPT", "FLUSH"]).await;
                Ok(())
            }
            Op::Crash(round) => self.crash(*round).await,
            _ => self.operate(op).await,
        }
    }

    async fn round(&mut self, who: usize, acts: Vec<Act>, want: usize, no_lease: bool) -> Fits {
        self.sent[who] = (acts, want, no_lease);
        self.is_offer[who] = false;
        let lease = if no_lease { Duration::ZERO } else { HOUR };
        let answer = self.puppets[who]
            .round(&self.sent[who].0, want, lease)
            .await;
        let answer = answer.unwrap();
        self.compare_round(who, &answer)?;
        // A worker that could take more knows when anything will fall due, or looks too early. After a lost answer
        // it does not, and looks again anyway.
        if self.book.settings.rate.is_some() {
            return Ok(());
        }
        let looks_again = answer.claims.len() < want && self.book.falls_due();
        same(
            "whether to look again",
            &(answer.due_ms.is_some() || !looks_again),
            &true,
        )
    }

    async fn enqueue_new(&mut self, jobs: &[NewJob]) -> Fits {
        let known = self.book.known.len();
        let new = |(n, job): (usize, &NewJob)| (new_id(known + n), job.clone());
        let batch: Vec<_> = jobs.iter().enumerate().map(new).collect();
        self.book.known.extend(batch.iter().cloned());
        self.enqueue(batch, true).await
    }

    async fn enqueue(&mut self, batch: Vec<(JobId, NewJob)>, are_fresh: bool) -> Fits {
        // All are handed in before the storing task runs: they are one batch.
        let submits = batch.iter().map(|(id, new)| {
            let known = || NewId::from(*id);
            let name = are_fresh.then(|| fresh(*id).into());
            self.producer
                .submit(name.unwrap_or_else(known), job(*id, new))
        });
        let heard: Vec<_> = join_all(submits).await;
        let taker = self.book.taker(&batch, &self.offered);
        for ((id, new), heard) in batch.iter().zip(heard) {
            let heard = match heard {
                Ok(receipt) if receipt.duplicate => Heard::Known(receipt.id, receipt.state),
                Ok(receipt) => Heard::Stored(receipt.id),
                Err(SubmitError::Conflict) => Heard::Conflict,
                Err(SubmitError::QueueFull { .. }) => Heard::Full,
                Err(error) => return Err(error.to_string()),
            };
            let rings = self.book.rings.clone();
            let should = self.book.enqueue(*id, new);
            same("what a submitter hears", &heard, &should)?;
            if let Some(who) = taker {
                self.book.rings = rings;
                self.book.hand_over(*id, who);
                self.wakes = false;
            }
        }
        Ok(())
    }

    fn act(&self, who: usize, one: &Try) -> Option<Act> {
        let id = self.book.pick(one.pick, who)?;
        let current = self.book.jobs.get(&id).map_or(0, |job| job.attempt);
        let attempt = current.saturating_add_signed(one.off);
        Some(Act {
            id,
            attempt,
            what: what(one.end, attempt),
        })
    }

    pub fn compare_round(&mut self, who: usize, answer: &Answer) -> Fits {
        let (acts, want, no_lease) = self.sent[who].clone();
        let number = self.puppets[who].number();
        let repeated = self.book.remembered(who, number).is_some();
        let (written, claims) = self
            .book
            .round(who, number, &acts, want, no_lease, &self.asides);
        same("what was written", &answer.written, &written)?;
        let ids = answer
            .claims
            .iter()
            .map(|held| (held.id, held.attempt))
            .collect();
        same("claims", &ids, &claims)?;
        for held in &answer.claims {
            let record = &self.book.jobs[&held.id];
            let should = (record.job.attempts, record.back, record.cancel);
            same(
                "a claim",
                &(held.max_attempts, held.handed_back, held.cancelled),
                &should,
            )?;
            let got = held.job.as_ref().map_err(ToString::to_string)?;
            let (kind, tenant) = (KINDS[record.job.kind], TENANTS[record.job.tenant]);
            let should = (
                kind,
                tenant,
                &*desk::payload(record.job.payload),
                Some(&*record.topic),
            );
            let options = &got.options;
            let topic = options.topic.as_ref().map(Topic::as_str);
            same(
                "a claimed job",
                &(
                    got.kind.as_str(),
                    options.tenant.as_str(),
                    got.payload.get(),
                    topic,
                ),
                &should,
            )?;
        }
        if repeated {
            return Ok(());
        }
        laws::of_claims(&self.book, who, want, &claims)
    }

    async fn beat(&mut self, who: usize, no_lease: bool, held: &[(Pick, i32)]) -> Fits {
        let mut attempts = BTreeMap::new();
        for (pick, off) in held {
            if let Some(id) = self.book.pick(*pick, who) {
                let current = self.book.jobs.get(&id).map_or(0, |job| job.attempt);
                attempts.insert(id, current.saturating_add_signed(*off));
            }
        }
        let held: Vec<_> = attempts.into_iter().collect();
        let lease = if no_lease { Duration::ZERO } else { HOUR };
        let heard = self.puppets[who].beat(lease, &held).await.unwrap();
        self.wakes = false;
        same(
            "what a beat hears",
            &heard,
            &self.book.beat(who, no_lease, &held),
        )
    }

    async fn join(&mut self, who: usize, mut kinds: Vec<usize>) -> Fits {
        kinds.sort_unstable();
        kinds.dedup();
        self.puppets[who].leave().await.unwrap();
        self.end_offer(who).await;
        let names: Vec<_> = kinds
            .iter()
            .map(|kind| Kind::new(KINDS[*kind]).unwrap())
            .collect();
        self.puppets[who].learn(&names);
        self.book.staff[who].kinds = kinds;
        self.beat(who, false, &[]).await
    }
}
