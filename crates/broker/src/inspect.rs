//! Looks at queues and jobs without changing anything.

use std::collections::{BTreeMap, HashMap};

use protocol::{JobId, JobRecord, JobState, Priority, QueueName, Tenant};
use serde::Serialize;

use crate::{
    Error, Keys, QueueSettings, Redis, TenantLimits, WorkerStatus, pairs::pairs, script::PAGE,
};

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
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// Jobs whose time to live was over before they began; they count as failed too.
    pub expired: u64,
    /// Attempts that failed and were followed by a pause and another.
    pub retried: u64,
    /// Attempts whose worker stopped renewing its lease.
    pub lost: u64,
    /// Attempts that were handed back by a stopping worker.
    pub handed_back: u64,
    /// Jobs that were not taken because the queue, or the tenant's share of it, was full.
    pub refused: u64,
    /// Failed and cancelled jobs that were run again on request.
    pub rerun: u64,
    /// Jobs that were deleted on request.
    pub deleted: u64,
    /// Late writes of attempts that were not the current ones, all refused.
    pub stale: u64,
}

/// What Redis answers about one queue: the sizes of the states' sets in their order, and what is counted.
type Answer = (u64, u64, u64, u64, u64, HashMap<String, String>);

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

    /// Every queue that ever had a job, a schedule, settings or a worker, by name.
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
        let keys = self.queue_keys(queue);
        let mut pipeline = redis::pipe();
        for state in JobState::ALL.into_iter().skip(1) {
            pipeline.zcard(keys.state(state));
        }
        pipeline.hgetall(keys.count());
        let (delayed, active, completed, failed, cancelled, counted): Answer =
            self.redis.pipe(&pipeline).await?;
        let total = |name: &str| {
            let text = counted.get(name);
            text.and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        // A parcel is one member for all its jobs.
        let active: u64 = active + total("active_more");
        let completed: u64 = completed + total("completed_more");
        let waiting = total("waiting");
        let totals = Totals {
            enqueued: total("enqueued"),
            completed: total("completed"),
            failed: total("failed"),
            cancelled: total("cancelled"),
            expired: total("expired"),
            retried: total("retried"),
            lost: total("lost"),
            handed_back: total("handed_back"),
            refused: total("refused"),
            rerun: total("rerun"),
            deleted: total("deleted"),
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
        let ids = self.ids(queue, state, limit).await?;
        self.redis.records(&self.queue_keys(queue), &ids).await
    }

    /// The ids of up to `limit` jobs of a state, in the same order.
    pub async fn ids(
        &self,
        queue: &QueueName,
        state: JobState,
        limit: usize,
    ) -> Result<Vec<JobId>, Error> {
        let ids = match state {
            JobState::Waiting => self.waiting(queue, limit).await?,
            _ => self.sorted(queue, state, limit).await?,
        };
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// One job, if the queue has it, in whichever partition.
    pub async fn get(&self, queue: &QueueName, id: JobId) -> Result<Option<JobRecord>, Error> {
        let ask = |partition: QueueName, ids: Vec<JobId>| async move {
            let keys = self.queue_keys(&partition);
            Ok(vec![self.redis.records(&keys, &ids).await?.pop()])
        };
        let found = self.redis.seek(queue, &[id], ask).await?;
        Ok(found.into_iter().flatten().next().map(|job| JobRecord {
            queue: queue.clone(),
            ..job
        }))
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

    pub(crate) const fn redis(&self) -> &Redis {
        &self.redis
    }

    pub(crate) fn queue_keys(&self, queue: &QueueName) -> Keys {
        Keys::new(self.redis.prefix(), queue.clone())
    }

    async fn sorted(
        &self,
        queue: &QueueName,
        state: JobState,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let keys = self.queue_keys(queue);
        // The next due first; of what is over, the newest first.
        let is_over = state.is_terminal();
        let mut call = PAGE.call(keys.base());
        call.arg(state.to_string())
            .arg("")
            .arg("")
            .arg(limit.max(1));
        call.arg(if is_over { "back" } else { "" });
        let page: Vec<(String, String)> = self.redis.script(&call).await?;
        let mut ids: Vec<_> = page.into_iter().map(|(id, _)| id).collect();
        if is_over {
            ids.reverse();
        }
        Ok(ids)
    }

    async fn waiting(&self, queue: &QueueName, limit: usize) -> Result<Vec<String>, Error> {
        let keys = self.queue_keys(queue);
        let mut ids = Vec::new();
        let parked: Vec<String> = self.range(keys.parked(), limit).await?;
        for line in [Priority::High, Priority::Normal, Priority::Low].map(Priority::line) {
            let mut tenants = self.range(keys.ring(line), limit).await?;
            let more = parked.iter().filter(|tenant| !tenants.contains(tenant));
            tenants.extend(more.cloned().collect::<Vec<_>>());
            for tenant in tenants {
                if ids.len() >= limit {
                    return Ok(ids);
                }
                let mut call = PAGE.call(keys.base());
                call.arg(format!("wait:{line}:{tenant}"));
                call.arg("").arg("").arg(limit - ids.len());
                let page: Vec<(String, String)> = self.redis.script(&call).await?;
                ids.extend(page.into_iter().map(|(id, _)| id));
            }
        }
        let mut cmd = redis::cmd("SMEMBERS");
        cmd.arg(keys.asides());
        for kind in self.redis.query::<Vec<String>>(&cmd).await? {
            if ids.len() < limit {
                ids.extend(self.range(keys.aside(&kind), limit - ids.len()).await?);
            }
        }
        Ok(ids)
    }

    /// The first members of a sorted set.
    async fn range(&self, key: String, limit: usize) -> Result<Vec<String>, Error> {
        let mut cmd = redis::cmd("ZRANGE");
        cmd.arg(key).arg(0).arg(limit.max(1) - 1);
        self.redis.query(&cmd).await
    }

    /// What an operator has set for a queue.
    pub async fn settings(&self, queue: &QueueName) -> Result<QueueSettings, Error> {
        let mut cmd = redis::cmd("HGETALL");
        cmd.arg(self.queue_keys(queue).settings());
        Ok(QueueSettings::read(&self.redis.query(&cmd).await?))
    }

    /// What an operator has set for one tenant alone.
    pub async fn tenant_limits(
        &self,
        queue: &QueueName,
        tenant: &Tenant,
    ) -> Result<Option<TenantLimits>, Error> {
        let mut cmd = redis::cmd("HGET");
        cmd.arg(self.queue_keys(queue).overrides())
            .arg(tenant.as_str());
        let stored: Option<String> = self.redis.query(&cmd).await?;
        Ok(stored.as_deref().map(TenantLimits::read))
    }

    /// Tenants that have waiting or active jobs, or limits of their own, by name; up to `limit` of them.
    pub async fn tenants(
        &self,
        queue: &QueueName,
        limit: usize,
    ) -> Result<Vec<TenantStatus>, Error> {
        let keys = self.queue_keys(queue);
        let mut found = BTreeMap::<Tenant, TenantStatus>::new();
        let mut entry = |name: &str, change: &dyn Fn(&mut TenantStatus)| {
            let Ok(tenant) = name.parse::<Tenant>() else {
                return;
            };
            if found.len() < limit || found.contains_key(&tenant) {
                change(found.entry(tenant.clone()).or_insert(TenantStatus {
                    tenant,
                    waiting: 0,
                    active: 0,
                    limits: None,
                }));
            }
        };
        for (name, stored) in
            pairs::<String>(&self.redis, "HSCAN", &keys.overrides(), limit).await?
        {
            entry(&name, &|status| {
                status.limits = Some(TenantLimits::read(&stored));
            });
        }
        // Two fields a tenant.
        for (field, n) in pairs::<u64>(
            &self.redis,
            "HSCAN",
            &keys.tenants(),
            limit.saturating_mul(2),
        )
        .await?
        {
            match field.split_once(':') {
                Some(("w", name)) => entry(name, &|status| status.waiting = n),
                Some(("a", name)) => entry(name, &|status| status.active = n),
                _ => {}
            }
        }
        Ok(found.into_values().collect())
    }

    /// The workers of a queue, those that are dead for less than an hour included, by name.
    pub async fn workers(&self, queue: &QueueName) -> Result<Vec<WorkerStatus>, Error> {
        let keys = self.queue_keys(queue);
        let (names, (secs, micros)): (Vec<(String, f64)>, (u64, u64)) = self
            .redis
            .pipe(
                redis::pipe()
                    .cmd("ZRANGE")
                    .arg(keys.workers())
                    .arg(0)
                    .arg(9_999)
                    .arg("WITHSCORES")
                    .cmd("TIME"),
            )
            .await?;
        let now = (secs * 1000 + micros / 1000) as f64;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for (name, _) in &names {
            pipeline.hgetall(keys.worker(name));
        }
        let hashes: Vec<HashMap<String, String>> = self.redis.pipe(&pipeline).await?;
        let mut workers: Vec<_> = names
            .into_iter()
            .zip(hashes)
            .map(|((name, deadline), hash)| {
                let text = |name: &str| hash.get(name).map_or("", String::as_str);
                WorkerStatus {
                    name,
                    card: serde_json::from_str(text("about")).unwrap_or_default(),
                    kinds: text("kinds")
                        .split(' ')
                        .filter_map(|kind| kind.parse().ok())
                        .collect(),
                    beat_at: text("beat").parse().unwrap_or(0),
                    alive: deadline > now,
                }
            })
            .collect();
        workers.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(workers)
    }
}

/// What a tenant has in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TenantStatus {
    /// Who.
    pub tenant: Tenant,
    /// Jobs that wait or are delayed.
    pub waiting: u64,
    /// Jobs that are active.
    pub active: u64,
    /// Its own limits, where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<TenantLimits>,
}
