//! The model: what a queue should hold, in plain collections. Here are its parts and the moves that several operations
//! make; what workers do is in `shift.rs`, what others do in `desk.rs`.
//!
//! It has no clock. A score in the past is a small number in the order in which things fell due, one in the future is
//! beyond `FAR`; after each step `World` writes these over what Redis' clock gave.

use std::collections::{BTreeMap, BTreeSet};

use broker::{QueueSettings, TenantLimits};
use protocol::{FailureCode, JobId, JobState};

use super::{
    hand::Offer,
    op::{NewJob, Pick, TENANTS},
};

/// A score of this very step, after all that are past.
pub const NOW: u64 = 1 << 40;
/// Scores in the future: in the year 2100.
pub const FAR: u64 = 4_102_444_800_000;
/// What a rate allows until the test is over.
pub const RATE: u64 = 4;

/// A job as it should be.
#[derive(Clone, Debug)]
pub struct Record {
    pub job: NewJob,
    pub topic: String,
    pub bytes: u64,
    pub state: JobState,
    /// Whether it waits for a worker that has its kind.
    pub aside: bool,
    pub attempt: u32,
    pub back: u32,
    pub worker: Option<usize>,
    pub cancel: bool,
    pub place: u64,
    pub due: u64,
    pub lease: u64,
    pub expires: Option<u64>,
    /// Whether its time to live is watched.
    pub expiring: bool,
    pub finished: u64,
    pub error: Option<FailureCode>,
    pub result: Option<String>,
}

/// An event as it should stand in a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub name: &'static str,
    pub job: JobId,
    pub attempt: u32,
    pub data: Option<String>,
    pub error: Option<FailureCode>,
}

/// What a round should bring: for each act whether it was written, and the attempts that were taken.
pub type Brought = (Vec<bool>, Vec<(JobId, u32)>);

/// What is known of a worker, and its last round that did anything.
#[derive(Clone, Debug, Default)]
pub struct Staff {
    /// None means all.
    pub kinds: Vec<usize>,
    pub alive: bool,
    pub memory: Option<(u64, Brought)>,
    pub offer: Offer,
}

impl Staff {
    pub fn knows(&self, kind: usize) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Book {
    pub jobs: BTreeMap<JobId, Record>,
    /// Every job that there ever was.
    pub known: Vec<(JobId, NewJob)>,
    /// How often each job was stored or run again, as far as its log goes back.
    pub lives: BTreeMap<JobId, usize>,
    /// Tenants by whose turn it is, for each priority. One whose line was emptied otherwise stays until its turn.
    pub rings: [Vec<usize>; 3],
    pub parked: BTreeMap<usize, u64>,
    pub asides: BTreeSet<usize>,
    pub logs: BTreeMap<String, Vec<Event>>,
    /// Idempotency keys: kind and payload, and the job.
    pub keys: BTreeMap<(usize, u8), (usize, String, JobId)>,
    pub totals: BTreeMap<&'static str, u64>,
    pub settings: QueueSettings,
    pub overrides: BTreeMap<usize, TenantLimits>,
    pub rate_used: u64,
    pub tenant_rate_used: BTreeMap<usize, u64>,
    pub staff: [Staff; 3],
    pub keep_jobs: usize,
    /// Of jobs that ended, with when, so many go: the oldest, and which of those that ended together is not said.
    pub trims: Vec<(Vec<(u64, JobId)>, usize)>,
    pub places: u64,
    pub ticks: u64,
    /// The events of this step, by topic.
    pub said: Vec<(String, Event)>,
    /// The cancellations that workers were told of in this step, and the kinds that were set aside in it.
    pub told: Vec<(usize, JobId, u32)>,
    pub set_aside: Vec<usize>,
    /// The states in which jobs ended in this step.
    pub ended: BTreeMap<&'static str, usize>,
}

impl Book {
    pub fn count(&mut self, what: &'static str) {
        *self.totals.entry(what).or_default() += 1;
    }

    pub fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    pub fn next_place(&mut self) -> u64 {
        self.places += 1;
        self.places
    }

    pub fn job(&mut self, id: JobId) -> &mut Record {
        self.jobs.get_mut(&id).expect("the model has the job")
    }

    /// `who` is the worker in question.
    pub fn pick(&self, pick: Pick, who: usize) -> Option<JobId> {
        let nth = |ids: &[JobId], n: usize| (!ids.is_empty()).then(|| ids[n % ids.len()]);
        match pick {
            Pick::In(state, n) => nth(&self.in_state(state), n),
            Pick::Held(n) => nth(
                &self.ids(|job| job.state == JobState::Active && job.worker == Some(who)),
                n,
            ),
            Pick::Any(n) => nth(&self.known.iter().map(|(id, _)| *id).collect::<Vec<_>>(), n),
        }
    }

    pub fn in_state(&self, state: JobState) -> Vec<JobId> {
        self.ids(|job| job.state == state)
    }

    pub fn ids(&self, which: impl Fn(&Record) -> bool) -> Vec<JobId> {
        let found = self.jobs.iter().filter(|(_, job)| which(job));
        found.map(|(id, _)| *id).collect()
    }

    /// Those of which the ids are meant.
    pub fn ids_that(&self, is_meant: impl Fn(&JobId) -> bool) -> Vec<JobId> {
        self.jobs
            .keys()
            .filter(|id| is_meant(id))
            .copied()
            .collect()
    }

    /// Ids of jobs whose score is over, in the order in which they fell due.
    pub fn over(&self, state: JobState, score: impl Fn(&Record) -> u64) -> Vec<JobId> {
        let mut ids = self.ids(|job| job.state == state && score(job) <= NOW);
        ids.sort_by_key(|id| (score(&self.jobs[id]), *id));
        ids
    }

    pub fn line(&self, priority: usize, tenant: usize) -> Vec<JobId> {
        let mut ids = self.ids(|job| {
            job.state == JobState::Waiting
                && !job.aside
                && (job.job.priority, job.job.tenant) == (priority, tenant)
        });
        ids.sort_by_key(|id| self.jobs[id].place);
        ids
    }

    pub fn aside(&self, kind: usize) -> Vec<JobId> {
        let mut ids = self.ids(|job| job.aside && job.job.kind == kind);
        ids.sort_by_key(|id| self.jobs[id].place);
        ids
    }

    pub fn tenant_holds(&self, tenant: usize) -> u64 {
        let waits = |state| matches!(state, JobState::Waiting | JobState::Delayed);
        self.ids(|job| waits(job.state) && job.job.tenant == tenant)
            .len() as u64
    }

    pub fn tenant_active(&self, tenant: usize) -> u64 {
        self.ids(|job| job.state == JobState::Active && job.job.tenant == tenant)
            .len() as u64
    }

    pub fn bytes(&self) -> u64 {
        let waits = |job: &&Record| matches!(job.state, JobState::Waiting | JobState::Delayed);
        self.jobs.values().filter(waits).map(|job| job.bytes).sum()
    }

    pub fn limits(&self, tenant: usize) -> TenantLimits {
        let (all, own) = (self.settings.tenants, self.overrides.get(&tenant).copied());
        let own = own.unwrap_or_default();
        TenantLimits {
            max_waiting: own.max_waiting.or(all.max_waiting),
            max_active: own.max_active.or(all.max_active),
            rate: own.rate.or(all.rate),
        }
    }

    /// How many more jobs may start in the queue.
    pub fn gate(&self) -> usize {
        let active = self.in_state(JobState::Active).len() as u64;
        let most = self.settings.max_active.unwrap_or(u64::MAX);
        let rate = self
            .settings
            .rate
            .map_or(u64::MAX, |_| RATE - self.rate_used);
        let free = most.saturating_sub(active).min(rate);
        if self.settings.paused {
            0
        } else {
            usize::try_from(free).unwrap_or(usize::MAX)
        }
    }

    /// How many more of a tenant's jobs may start.
    pub fn room(&self, tenant: usize) -> usize {
        let limits = self.limits(tenant);
        let active = self.tenant_active(tenant);
        let most = limits.max_active.unwrap_or(u64::MAX);
        let used = self.tenant_rate_used.get(&tenant).copied().unwrap_or(0);
        let rate = limits.rate.map_or(u64::MAX, |_| RATE - used);
        usize::try_from(most.saturating_sub(active).min(rate)).unwrap_or(usize::MAX)
    }

    /// Whether anything will happen just because time passes.
    pub fn falls_due(&self) -> bool {
        let timed = |state| matches!(state, JobState::Delayed | JobState::Active);
        let waits = |job: &Record| timed(job.state) || job.expiring;
        !self.parked.is_empty() || self.jobs.values().any(waits)
    }

    /// Whether a worker that lives has a handler for the kind.
    pub fn is_known(&self, kind: usize) -> bool {
        self.staff.iter().any(|one| one.alive && one.knows(kind))
    }

    pub fn say(
        &mut self,
        name: &'static str,
        id: JobId,
        data: Option<&str>,
        error: Option<FailureCode>,
    ) {
        let job = &self.jobs[&id];
        let event = Event {
            name,
            job: id,
            attempt: job.attempt,
            data: data.map(str::to_owned),
            error,
        };
        self.said.push((job.topic.clone(), event.clone()));
        self.logs.entry(job.topic.clone()).or_default().push(event);
    }

    pub fn join_ring(&mut self, priority: usize, tenant: usize) {
        if !self.rings[priority].contains(&tenant) {
            self.rings[priority].push(tenant);
        }
    }

    /// In line, at the place that it has.
    pub fn enlist(&mut self, id: JobId) {
        let job = self.job(id);
        (job.state, job.aside) = (JobState::Waiting, false);
        let (priority, tenant) = (job.job.priority, job.job.tenant);
        self.join_ring(priority, tenant);
    }

    /// In line again, where it was before.
    pub fn back_in_line(&mut self, id: JobId) {
        self.enlist(id);
        let job = self.job(id);
        job.expiring = job.expires.is_some() && job.attempt <= job.back;
    }

    /// A tenant has room again as soon as one of its jobs stops.
    pub fn stops(&mut self, id: JobId) {
        let tenant = self.jobs[&id].job.tenant;
        if self.parked.remove(&tenant).is_some() {
            self.unpark(tenant);
        }
    }

    pub fn unpark(&mut self, tenant: usize) {
        for priority in 0..3 {
            if !self.line(priority, tenant).is_empty() {
                self.join_ring(priority, tenant);
            }
        }
    }

    pub fn close(
        &mut self,
        id: JobId,
        state: JobState,
        result: Option<&str>,
        error: Option<FailureCode>,
    ) {
        self.say(state.as_str(), id, result, error);
        let job = self.job(id);
        let left_line = job.state == JobState::Waiting && !job.aside;
        let (priority, tenant) = (job.job.priority, job.job.tenant);
        (job.state, job.aside, job.expiring, job.finished) = (state, false, false, NOW);
        if let Some(result) = result {
            (job.result, job.error, job.cancel) = (Some(result.to_owned()), None, false);
        }
        job.error = error.or(job.error);
        if left_line && self.line(priority, tenant).is_empty() {
            self.rings[priority].retain(|other| *other != tenant);
        }
        *self.ended.entry(state.as_str()).or_default() += 1;
        self.count(state.as_str());
    }

    pub fn forget(&mut self, id: JobId) {
        self.jobs.remove(&id);
        if self.logs.remove(&id.to_string()).is_some() {
            self.lives.remove(&id);
        }
    }

    /// Of states in which jobs ended the oldest go when there are too many: two for each, and some.
    pub fn trim_ended(&mut self) {
        for state in JobState::ALL {
            if let Some(n) = self.ended.get(state.as_str()) {
                self.trim(state, n * 2 + 16);
            }
        }
    }

    pub fn trim(&mut self, state: JobState, most: usize) {
        let ids = self.over(state, |job| job.finished);
        let over = ids.len().saturating_sub(self.keep_jobs).min(most);
        let ended = ids.iter().map(|id| (self.jobs[id].finished, *id));
        self.trims.push((ended.collect(), over));
    }

    /// Forgets what is trimmed; says which are still there.
    pub fn trim_away(&mut self, is_there: impl Fn(JobId) -> bool) {
        for (mut ended, over) in std::mem::take(&mut self.trims) {
            ended.sort_by_key(|(at, id)| (*at, is_there(*id), *id));
            for (_, id) in ended.into_iter().take(over) {
                self.forget(id);
            }
        }
    }

    /// Gives what got a score in this step one of its own, or of the parcel that it is in; says what is to be written over
    /// what Redis has.
    pub fn settle(
        &mut self,
        together: &BTreeMap<String, String>,
    ) -> Vec<(&'static str, String, u64)> {
        let mut ticks = self.ticks;
        let mut fixes = Vec::new();
        let mut of_parcels = BTreeMap::new();
        let mut fix = |set, member: String, score: &mut u64| {
            if *score == NOW || *score == FAR {
                let parcel = together.get(&member).filter(|_| set != "expiring");
                let known = parcel.and_then(|parcel| of_parcels.get(parcel)).copied();
                let tick = known.unwrap_or_else(|| {
                    ticks += 1;
                    ticks
                });
                of_parcels.extend(parcel.map(|parcel| (parcel, tick)));
                *score = if *score == FAR { FAR } else { 0 } + tick;
                fixes.push((set, member, *score));
            }
        };
        for (id, job) in &mut self.jobs {
            match job.state {
                JobState::Delayed => fix("delayed", id.to_string(), &mut job.due),
                JobState::Active => fix("active", id.to_string(), &mut job.lease),
                JobState::Waiting => {}
                state => fix(state.as_str(), id.to_string(), &mut job.finished),
            }
            if let Some(expires) = &mut job.expires {
                fix("expiring", id.to_string(), expires);
            }
        }
        for (tenant, score) in &mut self.parked {
            fix("parked", TENANTS[*tenant].to_owned(), score);
        }
        self.ticks = ticks;
        fixes
    }
}
