//! What `queue top` knows and what is selected: all that a picture is made of. Never asks Redis anything itself.

use std::{collections::BTreeMap, time::Instant};

use broker::Totals;
use protocol::{JobId, JobRecord, QueueName};

use super::{
    cursor::Cursor,
    deed::Deed,
    seen::{Depth, Jobs, Seen},
    trail::Trail,
};
use crate::{Millis, rates::Rates};

/// A part of the screen that can have the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Panel {
    Queues,
    Workers,
    Active,
    Failed,
}

impl Panel {
    pub(super) const ALL: [Self; 4] = [Self::Queues, Self::Workers, Self::Active, Self::Failed];

    /// So many panels further on, or back.
    pub(super) fn turned(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|panel| *panel == self);
        Self::ALL[(at.unwrap_or(0) + by) % Self::ALL.len()]
    }
}

/// What lies over the panels.
#[derive(Debug)]
pub(super) enum Cover {
    Help,
    Ask(Deed),
    /// A job, or why it can't be shown; and how far it is scrolled.
    Job(Result<Box<JobRecord>, String>, usize),
}

/// What had happened at a look.
#[derive(Debug)]
struct Base {
    at: Instant,
    totals: BTreeMap<QueueName, Totals>,
}

/// The state of the screen.
#[derive(Debug)]
pub(super) struct View {
    pub(super) address: String,
    pub(super) prefix: String,
    pub(super) interval: Millis,
    /// Now, by this machine's clock.
    pub(super) now: u64,
    pub(super) seen: Option<Seen>,
    /// Why the last look failed.
    pub(super) trouble: Option<String>,
    /// What rates are counted from.
    base: Option<Base>,
    pub(super) rates: BTreeMap<QueueName, Rates>,
    pub(super) trails: BTreeMap<QueueName, Trail>,
    pub(super) panel: Panel,
    pub(super) queues: Cursor<QueueName>,
    pub(super) workers: Cursor<String>,
    pub(super) active: Cursor<JobId>,
    pub(super) failed: Cursor<JobId>,
    pub(super) cover: Option<Cover>,
    /// What came of the last deed.
    pub(super) note: Option<String>,
}

impl View {
    pub(super) const fn new(
        address: String,
        prefix: String,
        queue: Option<QueueName>,
        interval: Millis,
    ) -> Self {
        Self {
            address,
            prefix,
            interval,
            now: 0,
            seen: None,
            trouble: None,
            base: None,
            rates: BTreeMap::new(),
            trails: BTreeMap::new(),
            panel: Panel::Queues,
            queues: Cursor::new(queue),
            workers: Cursor::new(None),
            active: Cursor::new(None),
            failed: Cursor::new(None),
            cover: None,
            note: None,
        }
    }

    /// Takes in what a look saw, or why it saw nothing.
    pub(super) fn take(&mut self, seen: Result<Seen, String>) {
        let seen = match seen {
            Ok(seen) => seen,
            Err(why) => {
                // What was seen before stays, with its age.
                self.trouble = Some(why);
                return;
            }
        };
        self.trouble = None;
        self.count(&seen);
        self.seen = Some(seen);
        self.queues.follow(&self.queue_names());
        self.workers.follow(&self.worker_names());
        self.active.follow(&self.ids(Panel::Active));
        self.failed.follow(&self.ids(Panel::Failed));
    }

    /// Counts what happened since the base, unless that is so short ago that rates would jump: a key asks for a look too.
    fn count(&mut self, seen: &Seen) {
        let totals = || {
            let depths = seen.queues.iter();
            depths.map(|depth| (depth.stats.queue.clone(), depth.stats.totals))
        };
        if let Some(base) = &self.base {
            let time = seen.at.duration_since(base.at);
            if time < self.interval.duration() * 3 / 4 {
                return;
            }
            self.rates.clear();
            for (queue, now) in totals() {
                let Some(before) = base.totals.get(&queue) else {
                    continue;
                };
                let trail = self.trails.entry(queue.clone()).or_default();
                trail.add(seen.at_ms, before, &now);
                self.rates.insert(queue, Rates::between(before, &now, time));
            }
        }
        let totals: BTreeMap<_, _> = totals().collect();
        self.trails.retain(|queue, _| totals.contains_key(queue));
        self.base = Some(Base {
            at: seen.at,
            totals,
        });
    }

    /// Shows a job that was asked for.
    pub(super) fn show(&mut self, job: Result<Option<JobRecord>, String>) {
        let job = job.and_then(|job| {
            job.map(Box::new)
                .ok_or_else(|| "It is forgotten by now.".to_owned())
        });
        self.cover = Some(Cover::Job(job, 0));
    }

    /// The queue that is selected.
    pub(super) fn queue(&self) -> Option<QueueName> {
        self.queues.on().cloned()
    }

    /// The selected queue's jobs, once they were read.
    pub(super) fn jobs(&self) -> Option<&Jobs> {
        let jobs = self.seen.as_ref()?.jobs.as_ref()?;
        (Some(&jobs.queue) == self.queues.on()).then_some(jobs)
    }

    pub(super) fn depths(&self) -> &[Depth] {
        self.seen.as_ref().map_or(&[], |seen| &seen.queues)
    }

    pub(super) fn queue_names(&self) -> Vec<QueueName> {
        let names = self.depths().iter();
        names.map(|depth| depth.stats.queue.clone()).collect()
    }

    pub(super) fn worker_names(&self) -> Vec<String> {
        let workers = self.seen.as_ref().map_or(&[][..], |seen| &seen.workers);
        workers
            .iter()
            .map(|member| member.status.name.clone())
            .collect()
    }

    /// The ids of the jobs in a panel.
    pub(super) fn ids(&self, panel: Panel) -> Vec<JobId> {
        let jobs = self.jobs().map_or(&[][..], |jobs| match panel {
            Panel::Active => &jobs.active,
            Panel::Failed => &jobs.failed,
            _ => &[],
        });
        jobs.iter().map(|job| job.id).collect()
    }
}
