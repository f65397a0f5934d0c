//! What the clock, operators and a crash do, to both the queue and its model.

use std::collections::BTreeMap;

use broker::{Done, Inspector, Maintenance, QueueSettings, testing::until};
use protocol::{JobId, JobState};

use super::{
    op::{Forget, Op, PRIORITIES, Pick, TENANTS},
    raw::Raw,
    real::{limits, tenant},
    world::{Fits, HOUR, World, same},
};

impl World<'_> {
    /// What the clock does.
    pub async fn pass_time(&mut self, op: &Op) {
        let pick = |pick: Pick| self.book.pick(pick, 0).into_iter().collect();
        let (set, ids): (_, Vec<JobId>) = match op {
            Op::LeaseOver(one) => ("active", pick(*one)),
            Op::Due(one) => ("delayed", pick(*one)),
            Op::TtlOver(one) => ("expiring", pick(*one)),
            Op::AllLeasesOver => ("active", self.book.in_state(JobState::Active)),
            Op::AllTtlsOver => ("expiring", self.book.ids(|job| job.expiring)),
            Op::AllDue => ("delayed", self.book.in_state(JobState::Delayed)),
            _ => ("parked", Vec::new()),
        };
        let mut past = Vec::new();
        // A parcel has one lease.
        let parcel = |id: &JobId| self.together.get(&id.to_string());
        let its_own = ids.clone();
        let is_meant = |id: &JobId| {
            let with = |one: &JobId| parcel(one).is_some() && parcel(one) == parcel(id);
            its_own.contains(id) || set == "active" && its_own.iter().any(with)
        };
        let ids = if set == "parked" {
            ids
        } else {
            self.book.ids_that(is_meant)
        };
        let mut ticks = BTreeMap::new();
        for id in ids {
            let tick = match parcel(&id).filter(|_| set == "active") {
                Some(parcel) => *ticks.entry(parcel).or_insert_with(|| self.book.tick()),
                None => self.book.tick(),
            };
            let Some(job) = self.book.jobs.get_mut(&id) else {
                continue;
            };
            match (set, job.state) {
                ("active", JobState::Active) => job.lease = tick,
                ("delayed", JobState::Delayed) => job.due = tick,
                ("expiring", _) if job.expires.is_some() => job.expires = Some(tick),
                _ => continue,
            }
            past.push((id.to_string(), tick));
        }
        if set == "parked" {
            for tenant in self.book.parked.clone().into_keys() {
                let tick = self.book.tick();
                self.book.parked.insert(tenant, tick);
                past.push((TENANTS[tenant].to_owned(), tick));
            }
        }
        let scores = past.into_iter().map(|(member, score)| (set, member, score));
        self.write_scores(scores.collect()).await;
    }

    pub async fn operate(&mut self, op: &Op) -> Fits {
        let (control, queue) = (self.control.clone(), self.queue.clone());
        let ids = |picks: &[Pick]| -> Vec<JobId> {
            picks
                .iter()
                .filter_map(|pick| self.book.pick(*pick, 0))
                .collect()
        };
        match op {
            Op::Cancel(picks, owner) => {
                let (ids, tenant) = (ids(picks), owner.map(tenant));
                let done = control.cancel(&queue, &ids, tenant.as_ref()).await.unwrap();
                self.wakes = !ids.is_empty();
                same("cancelled", &done, &self.book.cancel(&ids, *owner, false))
            }
            Op::Retry(picks) => {
                let ids = ids(picks);
                let done = control.retry(&queue, &ids).await.unwrap();
                self.wakes = !ids.is_empty();
                same("run again", &done, &self.book.retry(&ids))
            }
            Op::Delete(picks) => {
                let ids = ids(picks);
                let done = control.delete(&queue, &ids).await.unwrap();
                self.wakes = !ids.is_empty();
                same("deleted", &done, &self.book.delete(&ids))
            }
            Op::RunNow(picks) => {
                let ids = ids(picks);
                let done = control.run_now(&queue, &ids).await.unwrap();
                self.wakes = !ids.is_empty();
                same("run now", &done, &self.book.run_now(&ids))
            }
            Op::Priority(picks, priority) => {
                let ids = ids(picks);
                let line = PRIORITIES[*priority];
                let done = control.set_priority(&queue, &ids, line).await.unwrap();
                self.wakes = !ids.is_empty();
                same("moved", &done, &self.book.set_priority(&ids, *priority))
            }
            Op::Maintain(forget) => {
                self.maintenance(*forget).run(&queue).await.unwrap();
                self.book.maintain(*forget, &self.asides);
                Ok(())
            }
            Op::Pause(paused) => {
                control.pause(&queue, *paused).await.unwrap();
                self.book.settings.paused = *paused;
                Ok(())
            }
            Op::Set {
                own,
                max_bytes,
                tenants,
            } => {
                let own = limits(*own);
                let settings = QueueSettings {
                    paused: self.book.settings.paused,
                    max_waiting: own.max_waiting,
                    max_bytes: *max_bytes,
                    max_active: own.max_active,
                    rate: own.rate,
                    tenants: limits(*tenants),
                };
                control.set(&queue, &settings).await.unwrap();
                self.book.settings = settings;
                Ok(())
            }
            Op::SetTenant(who, own) => {
                let own = own.map(limits);
                control
                    .set_tenant(&queue, &tenant(*who), own.as_ref())
                    .await
                    .unwrap();
                match own {
                    Some(own) => drop(self.book.overrides.insert(*who, own)),
                    None => drop(self.book.overrides.remove(who)),
                }
                Ok(())
            }
            Op::Drain(delayed) => {
                let inspector = Inspector::new(self.redis.clone());
                let page = async |state| inspector.ids(&queue, state, 200).await.unwrap();
                let mut ids = page(JobState::Waiting).await;
                if *delayed && ids.is_empty() {
                    ids = page(JobState::Delayed).await;
                }
                let done = control.withdraw(&queue, &ids).await.unwrap();
                let gone = done.iter().any(|done| *done != Done::NotFound);
                let gone = gone.then(|| done.iter().filter(|done| **done == Done::Yes).count());
                self.wakes = gone.is_some();
                same("drained", &gone, &self.book.drain(*delayed, &self.asides))
            }
            _ => unreachable!("{op:?} is no operator's"),
        }
    }

    fn maintenance(&self, forget: Forget) -> Maintenance {
        let mut args = self.args.clone();
        if forget.completed {
            args.keep_completed_secs = 0;
        }
        if forget.failed {
            args.keep_failed_secs = 0;
        }
        Maintenance::new(self.redis.clone(), args)
    }

    pub async fn crash(&mut self, round: Option<(usize, usize)>) -> Fits {
        self.wakes = false;
        // After a restart the kinds may be in another order.
        let round = round.filter(|_| self.asides.is_empty());
        if let Some((who, polls)) = round {
            self.sent[who] = (Vec::new(), 2, false);
            self.is_offer[who] = false;
            let sending = self.puppets[who].round(&[], 2, HOUR);
            let patience = async {
                for _ in 0..polls {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                _ = sending => {}
                () = patience => {}
            }
        }
        self.server.kill();
        self.server.run().await;
        until("Redis is there again", async || {
            self.redis.ping().await.ok()
        })
        .await;
        self.raw = Raw::new(self.server).await;
        for (who, puppet) in self.puppets.iter_mut().enumerate() {
            puppet.listen().await;
            self.book.staff[who].offer.lose();
        }
        let Some((who, _)) = round else {
            return Ok(());
        };
        self.wakes = true;
        let answer = self.puppets[who].repeat().await.unwrap();
        self.compare_round(who, &answer)
    }
}
