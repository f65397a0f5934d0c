//! The model of workers that offer themselves, and of what they are given.

use std::collections::VecDeque;

use broker::testing::Answer;
use protocol::{JobId, JobState};

use super::{
    book::{Book, FAR, NOW},
    op::{NewJob, WORKERS, When},
    world::{BASE, Fits, HOUR, World, same},
};

/// What a worker offered, and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// Whether it stands.
    pub stands: bool,
    /// What it was given by it, if it neither heard nor was told of that yet.
    given: Option<JobId>,
    /// What it may still hear of.
    unheard: VecDeque<JobId>,
    told: Vec<JobId>,
}

impl Offer {
    /// It does not hear what came until now, nor is it told.
    pub fn forget(&mut self) {
        self.given = None;
        self.unheard.clear();
    }

    /// A message was lost.
    pub fn lose(&mut self) {
        self.unheard.clear();
    }

    /// What it hears next.
    fn hear(&mut self) -> Option<JobId> {
        loop {
            let id = self.unheard.pop_front()?;
            if self.given == Some(id) {
                self.given = None;
            }
            if !self.told.contains(&id) {
                return Some(id);
            }
        }
    }
}

impl Book {
    /// Who is given a batch. `offered` are those that offered themselves, the first first.
    pub fn taker(&self, batch: &[(JobId, NewJob)], offered: &[usize]) -> Option<usize> {
        let ([(id, job)], [first, ..]) = (batch, offered) else {
            return None;
        };
        let is_plain = job.when == When::Now && !job.ttl && job.key.is_none() && job.attempts > 1;
        let is_own = !job.shared && (job.all || job.announce);
        let is_new = !self.jobs.contains_key(id) && self.in_state(JobState::Waiting).is_empty();
        let knows = self.staff[*first].knows(job.kind);
        (is_plain && job.all == is_own && is_new && knows).then_some(*first)
    }

    /// A job that has just come into line is given to a worker.
    pub fn hand_over(&mut self, id: JobId, who: usize) {
        let job = self.job(id);
        (job.state, job.worker) = (JobState::Active, Some(who));
        (job.attempt, job.lease) = (1, FAR);
        if job.job.all {
            self.say("started", id, None, None);
        }
        let offer = &mut self.staff[who].offer;
        offer.stands = false;
        offer.given = Some(id);
        offer.unheard.push_back(id);
    }

    /// Whether a worker has what it was given.
    fn still_has(&self, who: usize, id: JobId) -> bool {
        self.jobs.get(&id).is_some_and(|job| {
            job.state == JobState::Active
                && job.lease > NOW
                && (job.attempt, job.back, job.worker) == (1, 0, Some(who))
        })
    }
}

impl World<'_> {
    /// Makes the offers that stand as young as they can be, and sees whose they are.
    pub async fn renew_offers(&mut self) {
        let key = format!("{BASE}offers");
        let members = self.raw.range(&key).await;
        let mut renew = redis::pipe();
        for (n, member) in members.iter().enumerate() {
            renew.zadd(&key, member, FAR + n as u64);
        }
        if !members.is_empty() {
            self.raw.pipe(&renew).await;
        }
        self.offered = members.iter().map(|member| whose(member)).collect();
        let count = format!("{BASE}count");
        if self.raw.number(&count, "settings").await > 0 {
            self.offered.clear();
        }
    }

    /// A round that offers its worker, or takes its offer back; before that it may hear what it was given.
    pub async fn offer(&mut self, who: usize, want: usize, is_meant: bool, hears: bool) -> Fits {
        let mine = |book: &mut Book| std::mem::take(&mut book.staff[who].offer);
        let mut offer = mine(&mut self.book);
        if hears && let Some(id) = offer.hear() {
            same("what is heard", &self.puppets[who].hear().await.id, &id)?;
        }
        let given = offer.given.take();
        let told = given.filter(|id| self.book.still_has(who, *id));
        let want_more = want - usize::from(told.is_some() && want > 0);
        self.sent[who] = (Vec::new(), want_more, false);
        self.is_offer[who] = true;
        let answer = self.puppets[who].offer(&[], want, HOUR, is_meant).await;
        let mut answer: Answer = answer.unwrap();
        if let Some(id) = told {
            let last = answer.claims.pop().map(|held| (held.id, held.attempt));
            same("what is told", &last, &Some((id, 1)))?;
            offer.told.push(id);
        }
        offer.stands = is_meant && given.is_none() && answer.claims.len() < want_more;
        self.book.staff[who].offer = offer;
        self.compare_round(who, &answer)
    }

    /// A worker that leaves, or is another from now on, has no offer any more and hears nothing of an old one.
    pub async fn end_offer(&mut self, who: usize) {
        let key = format!("{BASE}offers");
        let members = self.raw.range(&key).await;
        let mut remove = redis::pipe();
        for member in members.iter().filter(|member| whose(member) == who) {
            remove.zrem(&key, member);
        }
        if !remove.is_empty() {
            self.raw.pipe(&remove).await;
        }
        self.book.staff[who].offer.forget();
        self.book.staff[who].offer.stands = false;
        self.puppets[who].listen().await;
    }
}

/// Whose offer it is.
pub fn whose(member: &str) -> usize {
    let name = member.split(' ').next();
    let place = WORKERS.iter().position(|worker| Some(*worker) == name);
    place.expect("only workers of the model offer themselves")
}
