//! What an operator may do to jobs and queues, and an owner to jobs.

use protocol::{JobId, JobState, Priority, QueueName, Tenant};

use crate::{
    Error, Keys, QueueArgs, QueueSettings, Redis, TenantLimits,
    call::{Call, Script},
    partitions, roll,
    script::{self, CANCEL, DELETE, PRIORITY, RETRY, RUN_NOW, SETTINGS},
};

/// How many jobs one call to Redis changes.
const STEP: usize = 200;

/// What became of a request to change a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Done {
    /// It is done.
    Yes,
    /// The job runs, and its worker is told; the job's terminal event says how it ended.
    Requested,
    /// There is no such job, or it belongs to somebody else.
    NotFound,
    /// The job's state does not allow it.
    Conflict(JobState),
}

/// Changes jobs and queues.
#[derive(Clone)]
pub struct Control {
    redis: Redis,
    args: QueueArgs,
}

impl Control {
    /// Control over everything under the connection's prefix.
    pub const fn new(redis: Redis, args: QueueArgs) -> Self {
        Self { redis, args }
    }

    /// Puts failed or cancelled jobs in line again, with all their attempts. Answers in the order of the ids, also
    /// below.
    pub async fn retry(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Done>, Error> {
        self.each(&RETRY, queue, ids, |_| {}).await
    }

    /// Cancels jobs: those that wait or are delayed at once, active ones through their workers. With an owner, only
    /// that tenant's jobs are seen.
    pub async fn cancel(
        &self,
        queue: &QueueName,
        ids: &[JobId],
        owner: Option<&Tenant>,
    ) -> Result<Vec<Done>, Error> {
        let owner = owner.map_or("", Tenant::as_str);
        self.each(&CANCEL, queue, ids, |call| {
            call.arg(owner).arg(0);
        })
        .await
    }

    /// Cancels jobs that wait or are delayed. One that a worker took meanwhile is in conflict, and goes on.
    pub async fn withdraw(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Done>, Error> {
        self.each(&CANCEL, queue, ids, |call| {
            call.arg("").arg(1);
        })
        .await
    }

    /// Forgets jobs with their results, logs and idempotency keys. Those that still wait are cancelled first; active
    /// ones are in conflict.
    pub async fn delete(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Done>, Error> {
        self.each(&DELETE, queue, ids, |call| {
            call.arg("");
        })
        .await
    }

    /// Forgets those jobs that are still in a state; others are in conflict.
    pub async fn delete_in(
        &self,
        queue: &QueueName,
        state: JobState,
        ids: &[JobId],
    ) -> Result<Vec<Done>, Error> {
        self.each(&DELETE, queue, ids, |call| {
            call.arg(state.as_str());
        })
        .await
    }

    /// Puts delayed jobs in line at once, whether they wait for their time or for their next attempt.
    pub async fn run_now(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Done>, Error> {
        self.each(&RUN_NOW, queue, ids, |_| {}).await
    }

    /// Moves jobs that wait or are delayed to another priority; there they stand by when they came in.
    pub async fn set_priority(
        &self,
        queue: &QueueName,
        ids: &[JobId],
        priority: Priority,
    ) -> Result<Vec<Done>, Error> {
        self.each(&PRIORITY, queue, ids, |call| {
            call.arg(priority.line());
        })
        .await
    }

    async fn each(
        &self,
        script: &Script,
        queue: &QueueName,
        ids: &[JobId],
        own: impl Fn(&mut Call<'_>),
    ) -> Result<Vec<Done>, Error> {
        let ask = |partition, ids| self.each_in(script, partition, ids, &own);
        let done = self.redis.seek(queue, ids, ask).await?;
        Ok(done
            .into_iter()
            .map(|one| one.unwrap_or(Done::NotFound))
            .collect())
    }

    /// The same in one partition; without an answer for those that it does not have.
    async fn each_in(
        &self,
        script: &Script,
        partition: QueueName,
        ids: Vec<JobId>,
        own: impl Fn(&mut Call<'_>),
    ) -> Result<Vec<Option<Done>>, Error> {
        let keys = Keys::new(self.redis.prefix(), partition);
        let mut done = Vec::with_capacity(ids.len());
        for step in ids.chunks(STEP) {
            let mut call = script::ending(script, &keys, &self.args);
            own(&mut call);
            call.arg(step.len());
            for id in step {
                call.arg(id.to_string());
            }
            let answers: Vec<String> = self.redis.script(&call).await?;
            for (id, answer) in step.iter().zip(answers) {
                done.push(match answer.as_str() {
                    "ok" => Some(Done::Yes),
                    "requested" => Some(Done::Requested),
                    "missing" => None,
                    state => state
                        .parse()
                        .map(|state| Some(Done::Conflict(state)))
                        .map_err(|error| Error::Stored(format!("state of {id}: {error}")))?,
                });
            }
        }
        Ok(done)
    }

    /// Sets what a queue may do, in place of what was set before.
    pub async fn set(&self, queue: &QueueName, settings: &QueueSettings) -> Result<(), Error> {
        self.write(queue, &settings.fields()).await
    }

    /// Sets what differs between two settings, and leaves alone what another operator may set at the same time.
    pub async fn change(
        &self,
        queue: &QueueName,
        from: &QueueSettings,
        to: &QueueSettings,
    ) -> Result<(), Error> {
        let before = from.fields();
        let mut fields = to.fields();
        fields.retain(|field| !before.contains(field));
        self.write(queue, &fields).await
    }

    /// Pauses a queue, or lets it go on: a paused one takes jobs and runs none.
    pub async fn pause(&self, queue: &QueueName, paused: bool) -> Result<(), Error> {
        let value = if paused { "1" } else { "" };
        self.write(queue, &[("paused", value.to_owned())]).await
    }

    async fn write(&self, queue: &QueueName, fields: &[(&str, String)]) -> Result<(), Error> {
        self.set_everywhere(queue, |call| {
            call.arg("").arg(fields.len());
            for (name, value) in fields {
                call.arg(*name).arg(value);
            }
        })
        .await
    }

    /// Sets what one tenant may have, in place of the limits for all tenants; `None` takes its own limits away.
    pub async fn set_tenant(
        &self,
        queue: &QueueName,
        tenant: &Tenant,
        limits: Option<&TenantLimits>,
    ) -> Result<(), Error> {
        self.set_everywhere(queue, |call| {
            call.arg(tenant.as_str())
                .arg(0)
                .arg(limits.map(TenantLimits::stored).unwrap_or_default());
        })
        .await
    }

    /// Sets something in all partitions of a queue. First in that which new ones are given copies of, so that one that comes
    /// meanwhile has it too.
    async fn set_everywhere(
        &self,
        queue: &QueueName,
        own: impl Fn(&mut Call<'_>),
    ) -> Result<(), Error> {
        self.set_in(queue, &own).await?;
        for index in 1..self.redis.newest_placement(queue).await?.held() {
            self.set_in(&partitions::named(queue, index)?, &own).await?;
        }
        Ok(())
    }

    async fn set_in(
        &self,
        partition: &QueueName,
        own: impl Fn(&mut Call<'_>),
    ) -> Result<(), Error> {
        let keys = Keys::new(self.redis.prefix(), partition.clone());
        let mut call = script::invoke(&SETTINGS, &keys, &self.args);
        own(&mut call);
        self.redis.script::<String>(&call).await?;
        // A queue with settings is one, also before its first job.
        roll::enter(&self.redis, partition).await
    }

    pub(crate) const fn redis(&self) -> &Redis {
        &self.redis
    }
}
