//! Looks at queues and jobs without changing anything.

use std::{collections::HashMap, str::FromStr};

use protocol::{JobId, JobRecord, JobState, Priority, QueueName};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{Error, Keys, Redis};

/// How many jobs a queue has in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are the states")]
pub struct Counts {
    pub waiting: u64,
    pub delayed: u64,
    pub active: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
}

impl Counts {
    /// The count of one state.
    pub const fn get(&self, state: JobState) -> u64 {
        match state {
            JobState::Waiting => self.waiting,
            JobState::Delayed => self.delayed,
            JobState::Active => self.active,
            JobState::Completed => self.completed,
            JobState::Failed => self.failed,
            JobState::Cancelled => self.cancelled,
        }
    }
}

/// What happened in a queue since it began. Only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Jobs that were accepted.
    pub enqueued: u64,
    /// Jobs that completed.
    pub completed: u64,
    /// Jobs that failed for good.
    pub failed: u64,
    /// Attempts that failed and were followed by a pause and another.
    pub retried: u64,
    /// Attempts whose worker stopped renewing its lease.
    pub lost: u64,
    /// Attempts that were handed back by a stopping worker.
    pub handed_back: u64,
    /// Late writes of attempts that were not the current ones, all refused.
    pub stale: u64,
}

/// What Redis answers about one queue: the counts in the order of the states, and the totals.
type Answer = (Option<u64>, u64, u64, u64, u64, u64, HashMap<String, u64>);

/// Looks at queues and jobs.
#[derive(Clone)]
pub struct Inspector {
    redis: Redis,
}

impl Inspector {
    /// An inspector of everything under the connection's prefix.
    pub const fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Every queue that ever had a job, by name.
    pub async fn queues(&self) -> Result<Vec<QueueName>, Error> {
        let mut cmd = redis::cmd("SMEMBERS");
        cmd.arg(Keys::queues(self.redis.prefix()));
        let names: Vec<String> = self.redis.query(&cmd).await?;
        // A name that no queue can have was not written by this system.
        let mut queues: Vec<_> = names
            .iter()
            .filter_map(|name| QueueName::new(name).ok())
            .collect();
        queues.sort_unstable();
        Ok(queues)
    }

    /// How many jobs a queue has in each state, and what happened in it, in one round trip.
    pub async fn counts(&self, queue: &QueueName) -> Result<(Counts, Totals), Error> {
        let keys = self.keys(queue);
        let mut pipeline = redis::pipe();
        pipeline.hget(keys.count(), "waiting");
        for state in JobState::ALL.into_iter().skip(1) {
            pipeline.zcard(keys.state(state));
        }
        pipeline.hgetall(keys.totals());
        let (waiting, delayed, active, completed, failed, cancelled, totals): Answer =
            self.redis.pipe(&pipeline).await?;
        let waiting = waiting.unwrap_or(0);
        let total = |name: &str| totals.get(name).copied().unwrap_or(0);
        let totals = Totals {
            enqueued: total("enqueued"),
            completed: total("completed"),
            failed: total("failed"),
            retried: total("retried"),
            lost: total("lost"),
            handed_back: total("handed_back"),
            stale: total("stale"),
        };
        Ok((
            Counts {
                waiting,
                delayed,
                active,
                completed,
                failed,
                cancelled,
            },
            totals,
        ))
    }

    /// Up to `limit` jobs of a state: those that wait in the order in which they will run, others from the newest.
    pub async fn list(
        &self,
        queue: &QueueName,
        state: JobState,
        limit: usize,
    ) -> Result<Vec<JobRecord>, Error> {
        let ids = match state {
            JobState::Waiting => self.waiting(queue, limit).await?,
            _ => self.sorted(queue, state, limit).await?,
        };
        let ids: Vec<JobId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys = self.keys(queue);
        let mut pipeline = redis::pipe();
        for id in &ids {
            pipeline.hgetall(keys.job(*id));
        }
        let hashes: Vec<HashMap<String, Vec<u8>>> = self.redis.pipe(&pipeline).await?;
        Ok(ids
            .into_iter()
            .zip(hashes)
            .filter_map(|(id, hash)| record(queue, id, &hash))
            .collect())
    }

    /// One job, if the queue has it.
    pub async fn get(&self, queue: &QueueName, id: JobId) -> Result<Option<JobRecord>, Error> {
        let mut cmd = redis::cmd("HGETALL");
        cmd.arg(self.keys(queue).job(id));
        let hash: HashMap<String, Vec<u8>> = self.redis.query(&cmd).await?;
        Ok(record(queue, id, &hash))
    }

    /// One job, in whichever queue has it.
    pub async fn find(&self, id: JobId) -> Result<Option<JobRecord>, Error> {
        for queue in self.queues().await? {
            if let Some(record) = self.get(&queue, id).await? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    fn keys(&self, queue: &QueueName) -> Keys {
        Keys::new(self.redis.prefix(), queue.clone())
    }

    async fn sorted(
        &self,
        queue: &QueueName,
        state: JobState,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let key = self.keys(queue).state(state);
        // The next due first; of what is over, the newest first.
        let mut cmd = redis::cmd("ZRANGE");
        cmd.arg(key).arg(0).arg(limit.max(1) - 1);
        if state.is_terminal() {
            cmd.arg("REV");
        }
        self.redis.query(&cmd).await
    }

    async fn waiting(&self, queue: &QueueName, limit: usize) -> Result<Vec<String>, Error> {
        let keys = self.keys(queue);
        let mut ids = Vec::new();
        for line in [Priority::High, Priority::Normal, Priority::Low].map(Priority::line) {
            let mut cmd = redis::cmd("LRANGE");
            cmd.arg(keys.ring(line)).arg(0).arg(limit);
            let tenants: Vec<String> = self.redis.query(&cmd).await?;
            for tenant in tenants {
                if ids.len() >= limit {
                    return Ok(ids);
                }
                let mut cmd = redis::cmd("LRANGE");
                cmd.arg(keys.line(line, &tenant))
                    .arg(0)
                    .arg(limit - ids.len() - 1);
                ids.extend(self.redis.query::<Vec<String>>(&cmd).await?);
            }
        }
        Ok(ids)
    }
}

/// Reads a job's hash. A damaged field reads as absent or as its default, so that an operator still sees the job.
fn record(queue: &QueueName, id: JobId, hash: &HashMap<String, Vec<u8>>) -> Option<JobRecord> {
    let text = |name: &str| {
        hash.get(name)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
    };
    let json = |name: &str| text(name).and_then(|text| RawValue::from_string(text.to_owned()).ok());
    Some(JobRecord {
        id,
        queue: queue.clone(),
        kind: parsed(text("kind")).or_else(|| "unknown".parse().ok())?,
        state: parsed(text("state"))?,
        tenant: parsed(text("tenant")).unwrap_or_else(protocol::Tenant::public),
        topic: parsed(text("topic")).or_else(|| id.to_string().parse().ok())?,
        priority: match text("priority") {
            Some("0") => Priority::High,
            Some("2") => Priority::Low,
            _ => Priority::Normal,
        },
        attempt: parsed(text("attempt")).unwrap_or(0),
        handed_back: parsed(text("back")).unwrap_or(0),
        max_attempts: parsed(text("max")).unwrap_or(1),
        created_at: parsed(text("created")).unwrap_or(0),
        due_at: parsed(text("due")),
        started_at: parsed(text("started")),
        finished_at: parsed(text("finished")),
        worker: text("worker").map(str::to_owned),
        payload: json("payload"),
        result: json("result"),
        error: text("error").and_then(|text| serde_json::from_str(text).ok()),
    })
}

fn parsed<T: FromStr>(text: Option<&str>) -> Option<T> {
    text.and_then(|text| text.parse().ok())
}
