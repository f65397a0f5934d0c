//! Goes through the jobs of a state a page at a time, with what a filter asks about and without payloads.
//!
//! It sees each job that is in the state from beginning to end once, whatever joins and leaves meanwhile, and ends
//! also while jobs come in as fast as it reads; one of a completed parcel perhaps twice, if that was taken apart meanwhile. A job
//! that moves meanwhile may be missed. It holds one page, and the
//! names of the tenants that have jobs, or the ids of the active ones, which the workers' concurrency bounds.

use std::collections::{BTreeSet, VecDeque};

use protocol::{FailureCode, JobId, JobRecord, JobState, Kind, Priority, QueueName, Tenant};

use crate::{
    Error, Inspector, Keys, Redis,
    pairs::pairs,
    script::{ACTIVE, PAGE},
    since,
};

/// How many jobs a page has at most.
const PAGE_SIZE: usize = 500;

/// What a filter may ask about a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSummary {
    /// Its id.
    pub id: JobId,
    /// Which handler runs it.
    pub kind: Kind,
    /// Who it belongs to.
    pub tenant: Tenant,
    /// The class of what went wrong in its latest failed attempt.
    pub error: Option<FailureCode>,
    /// For how long it has been over, or running, or else in the queue, in milliseconds by Redis' clock.
    pub age_ms: u64,
}

/// Where a scan goes on.
enum Rest {
    /// Sorted sets, by the ends of their keys; and in the first of them, after which score and id.
    Sets(VecDeque<String>, Option<(String, String)>),
    /// Ids that were read at once: an active job's score changes whenever its lease is renewed.
    Ids(VecDeque<String>),
}

/// One way through the jobs of a state; see [`Inspector::scan`].
pub struct Scan {
    redis: Redis,
    keys: Keys,
    state: JobState,
    /// The score after which everything is newer than the scan.
    last: f64,
    /// `None` before the first page.
    rest: Option<Rest>,
}

impl Inspector {
    /// Goes through the jobs that are in a state: those that are over from the oldest, those that are delayed from
    /// the next due, those that wait by priority and tenant.
    pub fn scan(&self, queue: &QueueName, state: JobState) -> Scan {
        Scan {
            redis: self.redis().clone(),
            keys: Keys::new(self.redis().prefix(), queue.clone()),
            state,
            last: f64::INFINITY,
            rest: None,
        }
    }
}

impl Scan {
    /// The next page, which may be empty; `None` after the last.
    pub async fn page(&mut self) -> Result<Option<Vec<JobSummary>>, Error> {
        let Some(jobs) = self.records().await? else {
            return Ok(None);
        };
        let now = self.redis.now_at(self.keys.base()).await?;
        let summary = |job: JobRecord| JobSummary {
            age_ms: now.saturating_sub(since(&job)),
            id: job.id,
            kind: job.kind,
            tenant: job.tenant,
            error: job.error.map(|failure| failure.code),
        };
        Ok(Some(jobs.into_iter().map(summary).collect()))
    }

    /// The same, with all that a list shows of each job.
    pub async fn records(&mut self) -> Result<Option<Vec<JobRecord>>, Error> {
        let mut rest = match self.rest.take() {
            Some(rest) => rest,
            None => self.begin().await?,
        };
        let ids = match &mut rest {
            Rest::Ids(ids) if ids.is_empty() => None,
            Rest::Ids(ids) => Some(ids.drain(..ids.len().min(PAGE_SIZE)).collect()),
            Rest::Sets(sets, after) => self.next_of(sets, after).await?,
        };
        let page = match ids {
            Some(ids) => Some(self.summaries(ids).await?),
            None => None,
        };
        self.rest = Some(rest);
        Ok(page)
    }

    async fn begin(&mut self) -> Result<Rest, Error> {
        let sets = match self.state {
            JobState::Active => {
                let active = ACTIVE.call(self.keys.base());
                let ids: Vec<String> = self.redis.script(&active).await?;
                return Ok(Rest::Ids(ids.into()));
            }
            JobState::Waiting => {
                // Who comes into a line gets a higher number than any before.
                let mut cmd = redis::cmd("HGET");
                cmd.arg(self.keys.count()).arg("sequence");
                let sequence: Option<f64> = self.redis.query(&cmd).await?;
                self.last = sequence.unwrap_or(0.0);
                self.lines().await?
            }
            // What is put off again comes later, and can't do so for ever.
            JobState::Delayed => VecDeque::from([self.state.to_string()]),
            _ => {
                // Scores say something more after the milliseconds.
                self.last = self.redis.now_at(self.keys.base()).await? as f64 + 0.9999;
                VecDeque::from([self.state.to_string()])
            }
        };
        Ok(Rest::Sets(sets, None))
    }

    /// All lines in which a job waits, by the ends of their keys.
    async fn lines(&self) -> Result<VecDeque<String>, Error> {
        // Who is served goes back and forth between the ring and the parked; who has jobs is counted all the while.
        let counted = self.members("HSCAN", &self.keys.tenants()).await?;
        let mut tenants: BTreeSet<String> = counted
            .iter()
            .filter_map(|field| field.strip_prefix("w:"))
            .map(str::to_owned)
            .collect();
        tenants.extend(self.members("ZSCAN", &self.keys.parked()).await?);
        let priorities = [Priority::High, Priority::Normal, Priority::Low].map(Priority::line);
        for priority in priorities {
            tenants.extend(self.members("ZSCAN", &self.keys.ring(priority)).await?);
        }
        let mut lines = VecDeque::new();
        let tenants: Vec<_> = tenants.into_iter().collect();
        for priority in priorities {
            for tenants in tenants.chunks(PAGE_SIZE) {
                let mut pipeline = redis::pipe();
                for tenant in tenants {
                    pipeline.exists(self.keys.line(priority, tenant));
                }
                let there: Vec<bool> = self.redis.pipe(&pipeline).await?;
                let there = tenants.iter().zip(there).filter(|(_, there)| *there);
                lines.extend(there.map(|(tenant, _)| format!("wait:{priority}:{tenant}")));
            }
        }
        let mut cmd = redis::cmd("SMEMBERS");
        cmd.arg(self.keys.asides());
        let kinds: Vec<String> = self.redis.query(&cmd).await?;
        lines.extend(kinds.into_iter().map(|kind| format!("aside:{kind}")));
        Ok(lines)
    }

    /// All members of a sorted set, or fields of a hash.
    async fn members(&self, command: &str, key: &str) -> Result<Vec<String>, Error> {
        let found = pairs::<String>(&self.redis, command, key, usize::MAX).await?;
        Ok(found.into_iter().map(|(member, _)| member).collect())
    }

    async fn next_of(
        &self,
        sets: &mut VecDeque<String>,
        after: &mut Option<(String, String)>,
    ) -> Result<Option<Vec<String>>, Error> {
        while let Some(set) = sets.front() {
            let (score, id) = after
                .as_ref()
                .map_or(("", ""), |(score, id)| (score.as_str(), id.as_str()));
            let mut call = PAGE.call(self.keys.base());
            call.arg(set).arg(score).arg(id).arg(PAGE_SIZE);
            let mut page: Vec<(String, String)> = self.redis.script(&call).await?;
            let full = page.len() == PAGE_SIZE;
            let newer = |score: &str| score.parse::<f64>().is_ok_and(|score| score > self.last);
            page.retain(|(_, score)| !newer(score));
            *after = match page.last() {
                Some((id, score)) if full => Some((score.clone(), id.clone())),
                _ => {
                    sets.pop_front();
                    None
                }
            };
            if !page.is_empty() {
                return Ok(Some(page.into_iter().map(|(id, _)| id).collect()));
            }
        }
        Ok(None)
    }

    async fn summaries(&self, ids: Vec<String>) -> Result<Vec<JobRecord>, Error> {
        // What is no id was not written by this system.
        let ids: Vec<JobId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let mut jobs = self.redis.summaries(&self.keys, &ids).await?;
        jobs.retain(|job| job.state == self.state);
        Ok(jobs)
    }
}
