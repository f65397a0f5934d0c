//! Goes through all jobs that fit a filter, a page at a time, and does the same to each. Holds one page.

use std::collections::VecDeque;

use broker::{Control, Done, Inspector, JobFilter, Scan};
use protocol::{JobId, JobRecord, JobState, QueueName};

use crate::commands::Verb;

/// What is done to which jobs.
pub(crate) struct Sweep {
    pub(crate) inspector: Inspector,
    pub(crate) control: Control,
    pub(crate) queue: QueueName,
    pub(crate) verb: Verb,
    /// In the order in which jobs go through them, so that one that goes on is met.
    pub(crate) states: Vec<JobState>,
    pub(crate) filter: JobFilter,
    /// How many jobs at most.
    pub(crate) limit: u64,
    /// Nothing is done.
    pub(crate) dry_run: bool,
}

/// How far it is, and what became of the jobs of the last page.
pub(crate) struct Swept {
    /// How many jobs were looked at.
    pub(crate) looked: u64,
    /// About how many there were to look at when it began.
    pub(crate) of: u64,
    /// How many fit.
    pub(crate) matched: u64,
    pub(crate) done: Vec<(JobId, Done)>,
}

/// A sweep under way.
pub(crate) struct Sweeping {
    sweep: Sweep,
    /// Those that are still to come.
    states: VecDeque<JobState>,
    scan: Option<(JobState, Scan)>,
    looked: u64,
    of: u64,
    matched: u64,
}

impl Sweep {
    /// Counts what there is to look at.
    pub(crate) async fn begin(self) -> Result<Sweeping, broker::Error> {
        let (counts, _) = self.inspector.counts(&self.queue).await?;
        Ok(Sweeping {
            of: self.states.iter().map(|state| counts.get(*state)).sum(),
            states: self.states.iter().copied().collect(),
            scan: None,
            looked: 0,
            matched: 0,
            sweep: self,
        })
    }
}

impl Sweeping {
    /// Looks at the next page, and does what is to be done; nothing comes back when all were gone through.
    pub(crate) async fn next(&mut self) -> Result<Option<Swept>, broker::Error> {
        let Some((state, jobs)) = self.page().await? else {
            return Ok(None);
        };
        let Sweep {
            control,
            queue,
            verb,
            filter,
            limit,
            dry_run,
            ..
        } = &self.sweep;
        self.looked += jobs.len() as u64;
        let left = usize::try_from(limit - self.matched).unwrap_or(usize::MAX);
        let fit = jobs
            .iter()
            .filter(|job| filter.fits(job) && !verb.is_vain(job));
        let ids: Vec<_> = fit.map(|job| job.id).take(left).collect();
        self.matched += ids.len() as u64;
        let mut done = Vec::new();
        if !dry_run {
            let answers = verb.apply(control, queue, Some(state), &ids).await?;
            done = ids.into_iter().zip(answers).collect();
        }
        Ok(Some(Swept {
            looked: self.looked,
            of: self.of,
            matched: self.matched,
            done,
        }))
    }

    async fn page(&mut self) -> Result<Option<(JobState, Vec<JobRecord>)>, broker::Error> {
        while self.matched < self.sweep.limit {
            if self.scan.is_none() {
                let Some(state) = self.states.pop_front() else {
                    break;
                };
                let scan = self.sweep.inspector.scan(&self.sweep.queue, state);
                self.scan = Some((state, scan));
            }
            if let Some((state, scan)) = &mut self.scan
                && let Some(jobs) = scan.records().await?
            {
                return Ok(Some((*state, jobs)));
            }
            self.scan = None;
        }
        Ok(None)
    }
}
