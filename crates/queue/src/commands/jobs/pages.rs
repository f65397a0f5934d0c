//! The jobs of one queue a few at a time. Says how far it is where it must look at many to find them.

use broker::{Browse, JobFilter, JobPlace};
use protocol::{JobRecord, JobState, QueueName};

use super::cursor::Cursor;
use crate::{console::Console, fault::Fault, progress::Progress};

/// A way through the jobs of a queue that a filter lets through.
pub(super) struct Pages<'a> {
    console: &'a Console,
    queue: &'a QueueName,
    states: &'a [JobState],
    filter: &'a JobFilter,
    after: Option<JobPlace>,
    looked: u64,
}

impl<'a> Pages<'a> {
    /// From a place on, or from the beginning.
    pub(super) fn of(
        console: &'a Console,
        queue: &'a QueueName,
        states: &'a [JobState],
        filter: &'a JobFilter,
        after: Option<Cursor>,
    ) -> Self {
        Self {
            console,
            queue,
            states,
            filter,
            after: after.map(|Cursor(place)| place),
            looked: 0,
        }
    }

    /// So many more jobs, or what is left of them.
    pub(super) async fn up_to(&mut self, limit: usize) -> Result<Vec<JobRecord>, Fault> {
        let fault = |error| self.console.fault(&error);
        let mut progress = None;
        let mut jobs = Vec::new();
        loop {
            let browse = Browse {
                queue: self.queue,
                states: self.states,
                filter: self.filter,
                limit: limit - jobs.len(),
            };
            let page = self.console.inspector.browse(&browse, self.after.take());
            let page = page.await.map_err(fault)?.map_err(|_| {
                Fault::Usage("--cursor is of a list of another queue or other states".to_owned())
            })?;
            jobs.extend(page.jobs);
            self.after = page.next;
            self.looked += page.looked as u64;
            if jobs.len() >= limit || self.after.is_none() {
                return Ok(jobs);
            }
            if progress.is_none() {
                let (counts, _) = self
                    .console
                    .inspector
                    .counts(self.queue)
                    .await
                    .map_err(fault)?;
                let total = self.states.iter().map(|state| counts.get(*state)).sum();
                progress = Some(Progress::new("look", total));
            }
            if let Some(progress) = &mut progress {
                progress.show(self.looked);
            }
        }
    }

    /// Whether there may be more.
    pub(super) const fn has_more(&self) -> bool {
        self.after.is_some()
    }

    /// Where more may be.
    pub(super) fn next(&self) -> Option<Cursor> {
        self.after.clone().map(Cursor)
    }
}
