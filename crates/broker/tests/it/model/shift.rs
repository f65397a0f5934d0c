//! The model of what workers do: rounds and beats.

use broker::testing::{Act, What};
use protocol::{FailureCode, JobId, JobState};

use super::book::{Book, Brought, FAR, NOW, Record};

impl Book {
    fn holds(&self, who: usize, id: JobId, attempt: u32) -> bool {
        self.jobs.get(&id).is_some_and(|job| {
            job.state == JobState::Active && job.attempt == attempt && job.worker == Some(who)
        })
    }

    /// The answer of a round that was made already, if it is the last one.
    pub fn remembered(&self, who: usize, number: u64) -> Option<Brought> {
        let (_, (written, claims)) = self.staff[who]
            .memory
            .as_ref()
            .filter(|(last, ..)| *last == number)?;
        let still = |(id, attempt): &&(JobId, u32)| self.holds(who, *id, *attempt);
        Some((
            written.clone(),
            claims.iter().filter(still).copied().collect(),
        ))
    }

    /// `asides` are the kinds of jobs set aside, in the order in which Redis has them.
    pub fn round(
        &mut self,
        who: usize,
        number: u64,
        acts: &[Act],
        want: usize,
        no_lease: bool,
        asides: &[usize],
    ) -> Brought {
        if let Some(answer) = self.remembered(who, number) {
            return answer;
        }
        let written: Vec<bool> = acts.iter().map(|act| self.act(who, act)).collect();
        let mut claims = Vec::new();
        if want > 0 {
            self.sweep(64);
            self.expire(64);
            self.promote(128);
            let knows = self.staff[who].clone();
            self.look_aside(|kind| knows.knows(kind), want, asides);
            let goal = want.min(self.gate());
            claims = self.claim(who, goal, no_lease);
        }
        self.trim_ended();
        let claims: Vec<_> = claims
            .iter()
            .map(|id| (*id, self.jobs[id].attempt))
            .collect();
        if !written.is_empty() || !claims.is_empty() {
            self.staff[who].memory = Some((number, (written.clone(), claims.clone())));
        }
        (written, claims)
    }

    fn act(&mut self, who: usize, act: &Act) -> bool {
        let id = act.id;
        if !self.holds(who, id, act.attempt) {
            self.count("stale");
            return false;
        }
        if let What::Emit(event, data) = &act.what {
            self.say(event.as_str(), id, Some(data.get()), None);
            return true;
        }
        self.stops(id);
        let job = self.job(id);
        let asked = job.cancel;
        let left = job.attempt - job.back < job.job.attempts;
        match &act.what {
            What::Complete(result) => self.close(id, JobState::Completed, Some(result.get()), None),
            _ if asked => self.close(id, JobState::Cancelled, None, None),
            What::Cancel => self.close(id, JobState::Cancelled, None, None),
            What::Retry(failure, pause) if left => {
                job.state = JobState::Delayed;
                job.due = if pause.is_zero() { NOW } else { FAR };
                job.error = Some(failure.code);
                if job.job.all {
                    self.say("retrying", id, None, Some(failure.code));
                }
                self.count("retried");
            }
            What::Retry(failure, _) | What::Fail(failure) => {
                self.close(id, JobState::Failed, None, Some(failure.code));
            }
            What::HandBack => {
                job.back += 1;
                self.back_in_line(id);
                self.count("handed_back");
            }
            What::Emit(..) => unreachable!("is done above"),
        }
        true
    }

    /// Leases that ran out.
    pub fn sweep(&mut self, most: usize) {
        let late = self.over(JobState::Active, |job| job.lease);
        for id in late.into_iter().take(most) {
            self.count("lost");
            self.stops(id);
            let job = self.job(id);
            if job.cancel {
                self.close(id, JobState::Cancelled, None, None);
            } else if job.attempt - job.back < job.job.attempts {
                job.error = Some(FailureCode::LeaseLost);
                self.back_in_line(id);
                if self.jobs[&id].job.all {
                    self.say("retrying", id, None, Some(FailureCode::LeaseLost));
                }
            } else {
                self.close(id, JobState::Failed, None, Some(FailureCode::LeaseLost));
            }
        }
    }

    /// Jobs that waited too long for their first attempt.
    pub fn expire(&mut self, most: usize) {
        let over = |job: &Record| job.expires.filter(|_| job.expiring).unwrap_or(FAR);
        let mut late = self.ids(|job| over(job) <= NOW);
        late.sort_by_key(|id| (over(&self.jobs[id]), *id));
        for id in late.into_iter().take(most) {
            self.count("expired");
            self.close(id, JobState::Failed, None, Some(FailureCode::Expired));
        }
    }

    /// Delayed jobs that are due go to the end of their lines; parked tenants get another look.
    pub fn promote(&mut self, most: usize) {
        let due = self.over(JobState::Delayed, |job| job.due);
        for id in due.into_iter().take(most) {
            self.job(id).place = self.next_place();
            self.enlist(id);
        }
        let mut looked: Vec<_> = self
            .parked
            .iter()
            .map(|(tenant, score)| (*score, *tenant))
            .collect();
        looked.retain(|(score, _)| *score <= NOW);
        looked.sort_unstable();
        for (_, tenant) in looked {
            self.parked.remove(&tenant);
            self.unpark(tenant);
        }
    }

    /// Jobs set aside: back in line for who knows their kind, failed if nobody does any more.
    pub fn look_aside(&mut self, knows: impl Fn(usize) -> bool, most: usize, kinds: &[usize]) {
        let mut moved = 0;
        for kind in kinds {
            let mut ids = self.aside(*kind);
            if moved < most && (knows(*kind) || !self.is_known(*kind)) {
                let rest = ids.split_off(ids.len().min(most - moved));
                moved += ids.len();
                for id in std::mem::replace(&mut ids, rest) {
                    if knows(*kind) {
                        self.enlist(id);
                    } else {
                        self.close(id, JobState::Failed, None, Some(FailureCode::UnknownKind));
                    }
                }
            }
            if ids.is_empty() {
                self.asides.remove(kind);
            }
        }
    }

    /// Takes from tenants in turn, an equal share each, and from a line only when those of higher priority are empty.
    fn claim(&mut self, who: usize, goal: usize, no_lease: bool) -> Vec<JobId> {
        let mut claims = Vec::new();
        // Jobs that are met and not taken count too.
        let mut budget = goal + 256;
        for priority in 0..3 {
            let mut turns = self.rings[priority].len();
            while claims.len() < goal && !self.rings[priority].is_empty() && budget > 0 {
                budget -= 1;
                let tenant = self.rings[priority].remove(0);
                let share = goal
                    .div_ceil(turns)
                    .min(goal - claims.len())
                    .min(self.room(tenant));
                let before = claims.len();
                for id in self.line(priority, tenant).into_iter().take(share) {
                    budget = budget.saturating_sub(1);
                    if self.take(who, id, no_lease) {
                        claims.push(id);
                    }
                }
                let taken = (claims.len() - before) as u64;
                if self.limits(tenant).rate.is_some() {
                    *self.tenant_rate_used.entry(tenant).or_default() += taken;
                }
                if self.line(priority, tenant).is_empty() {
                    turns = self.rings[priority].len();
                } else if self.room(tenant) > 0 {
                    self.join_ring(priority, tenant);
                } else {
                    self.parked.insert(tenant, FAR);
                    turns = self.rings[priority].len();
                }
            }
        }
        if self.settings.rate.is_some() {
            self.rate_used += claims.len() as u64;
        }
        claims
    }

    fn take(&mut self, who: usize, id: JobId, no_lease: bool) -> bool {
        let kind = self.jobs[&id].job.kind;
        let late = |job: &Record| job.expiring && job.expires.is_some_and(|at| at <= NOW);
        if late(&self.jobs[&id]) {
            self.count("expired");
            self.close(id, JobState::Failed, None, Some(FailureCode::Expired));
            return false;
        }
        if !self.staff[who].knows(kind) {
            if self.is_known(kind) {
                self.job(id).aside = true;
                self.asides.insert(kind);
                self.set_aside.push(kind);
            } else {
                self.close(id, JobState::Failed, None, Some(FailureCode::UnknownKind));
            }
            return false;
        }
        let job = self.job(id);
        job.attempt += 1;
        (job.state, job.worker, job.expiring) = (JobState::Active, Some(who), false);
        job.lease = if no_lease { NOW } else { FAR };
        if job.job.all {
            self.say("started", id, None, None);
        }
        true
    }

    /// A sign of life. Says which attempts are lost, and which are to be cancelled.
    pub fn beat(
        &mut self,
        who: usize,
        no_lease: bool,
        held: &[(JobId, u32)],
    ) -> (Vec<JobId>, Vec<JobId>) {
        self.staff[who].alive = !no_lease;
        let (mut lost, mut cancelled) = (Vec::new(), Vec::new());
        for (id, attempt) in held {
            if !self.holds(who, *id, *attempt) {
                lost.push(*id);
                continue;
            }
            let job = self.job(*id);
            job.lease = if no_lease { NOW } else { FAR };
            if job.cancel {
                cancelled.push(*id);
            }
        }
        (lost, cancelled)
    }
}
