//! The model of what submitters, operators and maintenance do.

use broker::Done;
use protocol::{JobId, JobState};

use super::{
    book::{Book, FAR, Record},
    op::{Forget, KINDS, NewJob, When},
};

/// What a submitter should hear.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    Stored(JobId),
    /// Another job that was there already, and its state if it is not forgotten.
    Known(JobId, Option<JobState>),
    Conflict,
    Full,
}

pub fn payload(n: u8) -> String {
    format!(r#"{{"p":"{}"}}"#, "x".repeat(usize::from(n) * 7))
}

pub fn topic(id: JobId, job: &NewJob) -> String {
    if job.shared {
        "room".to_owned()
    } else {
        id.to_string()
    }
}

impl Book {
    pub fn enqueue(&mut self, id: JobId, job: &NewJob) -> Heard {
        let digest = (job.kind, payload(job.payload));
        let owned = job
            .key
            .and_then(|key| self.keys.get(&(job.tenant, key)))
            .cloned();
        if self.jobs.contains_key(&id) {
            return self.known(id, topic(id, job));
        }
        if let Some((kind, text, owner)) = owned {
            if (kind, text) == digest {
                return self.known(owner, owner.to_string());
            }
            return Heard::Conflict;
        }
        let bytes = digest.1.len() as u64;
        if self.is_full(job.tenant, bytes) {
            self.count("refused");
            return Heard::Full;
        }
        let delayed = job.when == When::Later;
        let record = Record {
            topic: topic(id, job),
            bytes,
            state: if delayed {
                JobState::Delayed
            } else {
                JobState::Waiting
            },
            aside: false,
            attempt: 0,
            back: 0,
            worker: None,
            cancel: false,
            place: 0,
            due: FAR,
            lease: 0,
            expires: job.ttl.then_some(FAR),
            expiring: job.ttl,
            finished: 0,
            error: None,
            result: None,
            job: job.clone(),
        };
        self.jobs.insert(id, record);
        if let Some(key) = job.key {
            self.keys
                .insert((job.tenant, key), (digest.0, digest.1, id));
        }
        if !delayed {
            self.job(id).place = self.next_place();
            self.enlist(id);
        }
        *self.lives.entry(id).or_default() += 1;
        self.count("enqueued");
        if job.all || job.announce {
            self.say("queued", id, job.announce.then_some("\"new\""), None);
        }
        self.logs.entry(topic(id, job)).or_default();
        Heard::Stored(id)
    }

    fn known(&mut self, id: JobId, topic: String) -> Heard {
        let job = self.jobs.get(&id);
        let topic = job.map_or(topic, |job| job.topic.clone());
        let state = job.map(|job| job.state);
        self.logs.entry(topic).or_default();
        Heard::Known(id, state)
    }

    fn is_full(&self, tenant: usize, bytes: u64) -> bool {
        let waits = |state| matches!(state, JobState::Waiting | JobState::Delayed);
        let held = self.ids(|job| waits(job.state)).len() as u64;
        let most = |set: Option<u64>| set.unwrap_or(u64::MAX);
        held >= most(self.settings.max_waiting)
            || self.bytes() + bytes > most(self.settings.max_bytes)
            || self.tenant_holds(tenant) >= most(self.limits(tenant).max_waiting)
    }

    pub fn cancel(&mut self, ids: &[JobId], owner: Option<usize>, leave_active: bool) -> Vec<Done> {
        let one = |book: &mut Self, id| {
            let seen = |job: &&mut Record| owner.is_none_or(|owner| owner == job.job.tenant);
            let Some(job) = book.jobs.get_mut(&id).filter(seen) else {
                return Done::NotFound;
            };
            match (job.state, job.worker) {
                (JobState::Waiting | JobState::Delayed, _) => {
                    book.close(id, JobState::Cancelled, None, None);
                    Done::Yes
                }
                (JobState::Active, Some(worker)) if !leave_active => {
                    job.cancel = true;
                    let attempt = job.attempt;
                    book.told.push((worker, id, attempt));
                    Done::Requested
                }
                (state, _) => Done::Conflict(state),
            }
        };
        let done = ids.iter().map(|id| one(self, *id)).collect();
        self.trim_ended();
        done
    }

    pub fn retry(&mut self, ids: &[JobId]) -> Vec<Done> {
        let one = |book: &mut Self, id| {
            let Some(job) = book.jobs.get_mut(&id) else {
                return Done::NotFound;
            };
            if !matches!(job.state, JobState::Failed | JobState::Cancelled) {
                return Done::Conflict(job.state);
            }
            (job.back, job.cancel, job.error, job.expires) = (job.attempt, false, None, None);
            let all = job.job.all;
            book.job(id).place = book.next_place();
            book.enlist(id);
            if all {
                book.say("queued", id, None, None);
            }
            *book.lives.entry(id).or_default() += 1;
            book.count("rerun");
            Done::Yes
        };
        ids.iter().map(|id| one(self, *id)).collect()
    }

    pub fn run_now(&mut self, ids: &[JobId]) -> Vec<Done> {
        let one = |book: &mut Self, id| match book.jobs.get(&id).map(|job| job.state) {
            None => Done::NotFound,
            Some(JobState::Delayed) => {
                book.job(id).place = book.next_place();
                book.enlist(id);
                Done::Yes
            }
            Some(state) => Done::Conflict(state),
        };
        ids.iter().map(|id| one(self, *id)).collect()
    }

    pub fn set_priority(&mut self, ids: &[JobId], priority: usize) -> Vec<Done> {
        let one = |book: &mut Self, id| {
            let Some(job) = book.jobs.get_mut(&id) else {
                return Done::NotFound;
            };
            let (old, tenant) = (job.job.priority, job.job.tenant);
            match job.state {
                JobState::Delayed => job.job.priority = priority,
                JobState::Waiting => {
                    let was_in_line = !job.aside;
                    // Out of its line, which may be the last of it there.
                    job.aside = true;
                    job.job.priority = priority;
                    if was_in_line && book.line(old, tenant).is_empty() {
                        book.rings[old].retain(|other| *other != tenant);
                    }
                    book.enlist(id);
                }
                state => return Done::Conflict(state),
            }
            Done::Yes
        };
        ids.iter().map(|id| one(self, *id)).collect()
    }

    pub fn delete(&mut self, ids: &[JobId]) -> Vec<Done> {
        let one = |book: &mut Self, id| {
            let Some(job) = book.jobs.get(&id).cloned() else {
                return Done::NotFound;
            };
            match job.state {
                JobState::Active => return Done::Conflict(job.state),
                JobState::Waiting | JobState::Delayed => {
                    book.close(id, JobState::Cancelled, None, None);
                }
                _ => {}
            }
            if let Some(key) = job.job.key {
                let owned = (job.job.tenant, key);
                if book
                    .keys
                    .get(&owned)
                    .is_some_and(|(.., owner)| *owner == id)
                {
                    book.keys.remove(&owned);
                }
            }
            book.forget(id);
            book.count("deleted");
            Done::Yes
        };
        ids.iter().map(|id| one(self, *id)).collect()
    }

    pub fn maintain(&mut self, forget: Forget, asides: &[usize]) {
        self.promote(500);
        self.sweep(500);
        self.expire(500);
        for (state, all) in [
            (JobState::Completed, forget.completed),
            (JobState::Failed, forget.failed),
            // They are kept as long as completed ones.
            (JobState::Cancelled, forget.completed),
        ] {
            if all {
                for id in self.in_state(state) {
                    self.forget(id);
                }
            }
            self.trim(state, 500);
        }
        self.look_aside(|_| false, usize::MAX, asides);
    }

    /// Cancels all that waits, else all that is delayed, in the order in which it would run.
    pub fn drain(&mut self, delayed: bool, asides: &[usize]) -> Option<usize> {
        let mut parked: Vec<_> = self
            .parked
            .iter()
            .map(|(tenant, score)| (*score, *tenant))
            .collect();
        parked.sort_unstable();
        let mut ids = Vec::new();
        for priority in 0..3 {
            let mut tenants = self.rings[priority].clone();
            tenants.extend(parked.iter().map(|(_, tenant)| *tenant));
            for tenant in tenants {
                let line = self.line(priority, tenant);
                if line.first().is_some_and(|id| !ids.contains(id)) {
                    ids.extend(line);
                }
            }
        }
        ids.extend(asides.iter().flat_map(|kind| self.aside(*kind)));
        if delayed && ids.is_empty() {
            ids = self.in_state(JobState::Delayed);
            ids.sort_by_key(|id| self.jobs[id].due);
        }
        ids.truncate(200);
        let done = self.cancel(&ids, None, true);
        (!done.is_empty()).then_some(done.len())
    }

    /// Kinds by name.
    pub fn kind(name: &str) -> usize {
        KINDS
            .iter()
            .position(|kind| *kind == name)
            .expect("a kind of the model")
    }
}
