//! What operators do with schedules, from the command line, over HTTP or with a file: checked, and given a next time.

use broker::{
    Error, Inspector, Paused, Producer, ProducerConfig, Put, QueueArgs, Receipt, Redis, Schedules,
    SubmitError,
};
use protocol::{InvalidSchedule, QueueName, Schedule, ScheduleName, ScheduleRecord, limits};
use tokio_util::task::TaskTracker;

use super::{
    plan::{InvalidPlan, Plan},
    run::Run,
};

/// Why something can't be done to a schedule.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// What was said of it is over a limit.
    #[error(transparent)]
    Invalid(#[from] InvalidSchedule),
    /// Its times make no sense.
    #[error(transparent)]
    Plan(#[from] InvalidPlan),
    /// The queue has as many as it may.
    #[error("queue {0} has {max} schedules, which is the most", max = limits::MAX_SCHEDULES)]
    Full(QueueName),
    /// There is none of this name.
    #[error("queue {0} has no schedule `{1}`")]
    NotFound(QueueName, ScheduleName),
    /// The extra run was not taken.
    #[error(transparent)]
    Refused(#[from] SubmitError),
    /// Redis is away, or answers in a way that is not understood.
    #[error(transparent)]
    Redis(#[from] Error),
}

/// The schedules of all queues under a prefix, for operators.
#[derive(Clone)]
pub struct ScheduleBook {
    redis: Redis,
    schedules: Schedules,
    keep: QueueArgs,
}

impl ScheduleBook {
    /// The schedules under the connection's prefix. What is kept matters only for [`Self::run`].
    pub fn new(redis: Redis, keep: QueueArgs) -> Self {
        Self {
            schedules: Schedules::new(redis.clone()),
            redis,
            keep,
        }
    }

    /// Refuses what can't be put, without asking Redis.
    pub fn check(schedule: &Schedule) -> Result<Plan, ScheduleError> {
        schedule.validate()?;
        Ok(Plan::of(&schedule.when)?)
    }

    /// Stores a schedule in place of the one of its name; says whether it is new. One whose times are as they were goes on
    /// as if nothing had been put. It belongs to no file any more.
    pub async fn put(&self, schedule: Schedule) -> Result<bool, ScheduleError> {
        self.put_as(Schedule {
            source: None,
            ..schedule
        })
        .await
    }

    /// The same, and it belongs to the file that it says.
    pub(super) async fn put_as(&self, schedule: Schedule) -> Result<bool, ScheduleError> {
        let plan = Self::check(&schedule)?;
        let now = self.schedules.now().await?;
        match self.schedules.put(&schedule, plan.first(now)).await? {
            Put::Created => Ok(true),
            Put::Full => Err(ScheduleError::Full(schedule.queue)),
            _ => Ok(false),
        }
    }

    /// One schedule.
    pub async fn get(
        &self,
        queue: &QueueName,
        name: &ScheduleName,
    ) -> Result<ScheduleRecord, ScheduleError> {
        let record = self.schedules.get(queue, name).await?;
        record.ok_or_else(|| ScheduleError::NotFound(queue.clone(), name.clone()))
    }

    /// All schedules of a queue, or of all queues, by queue and name.
    pub async fn list(
        &self,
        queue: Option<&QueueName>,
    ) -> Result<Vec<ScheduleRecord>, ScheduleError> {
        if let Some(queue) = queue {
            return Ok(self.schedules.list(queue).await?);
        }
        let mut all = Vec::new();
        for queue in Inspector::new(self.redis.clone()).queues().await? {
            all.extend(self.schedules.list(&queue).await?);
        }
        Ok(all)
    }

    /// Forgets a schedule. Jobs that it handed in go on.
    pub async fn remove(
        &self,
        queue: &QueueName,
        name: &ScheduleName,
    ) -> Result<(), ScheduleError> {
        if self.schedules.remove(queue, name).await? {
            Ok(())
        } else {
            Err(ScheduleError::NotFound(queue.clone(), name.clone()))
        }
    }

    /// Lets a schedule rest; says whether it did not already. What would have run meanwhile never does, but for a schedule
    /// with one time only: of that its policy says whether it runs after the rest.
    pub async fn pause(
        &self,
        queue: &QueueName,
        name: &ScheduleName,
    ) -> Result<bool, ScheduleError> {
        self.switch(queue, name, true).await
    }

    /// Lets a schedule go on; says whether it rested.
    pub async fn resume(
        &self,
        queue: &QueueName,
        name: &ScheduleName,
    ) -> Result<bool, ScheduleError> {
        self.switch(queue, name, false).await
    }

    async fn switch(
        &self,
        queue: &QueueName,
        name: &ScheduleName,
        paused: bool,
    ) -> Result<bool, ScheduleError> {
        loop {
            let record = self.get(queue, name).await?;
            let next = match record.next_at {
                Some(next) if !paused => {
                    let now = self.schedules.now().await?;
                    Plan::of(&record.schedule.when)?.resumed(next, now)
                }
                _ => None,
            };
            match self.schedules.pause(&record.schedule, paused, next).await? {
                Paused::Done => return Ok(true),
                Paused::Same => return Ok(false),
                Paused::Missing => {
                    return Err(ScheduleError::NotFound(queue.clone(), name.clone()));
                }
                // Somebody gave it other times meanwhile.
                _ => {}
            }
        }
    }

    /// Hands in a schedule's job now, once more than the schedule asks for, also while it is paused.
    pub async fn run(
        &self,
        queue: &QueueName,
        name: &ScheduleName,
    ) -> Result<Receipt, ScheduleError> {
        let record = self.get(queue, name).await?;
        let run =
            Run::extra(&record.schedule, Producer::new_id()).map_err(|_| SubmitError::Refused)?;
        let tracker = TaskTracker::new();
        let producer = Producer::spawn(
            self.redis.clone(),
            queue.clone(),
            self.keep.clone(),
            ProducerConfig::default(),
            &tracker,
        );
        Ok(producer.submit(run.id, run.job).await?)
    }

    /// The next times of a schedule, as many as `most`; none of one that is over, and those it would have if it is paused.
    pub async fn next(
        &self,
        queue: &QueueName,
        name: &ScheduleName,
        most: usize,
    ) -> Result<Vec<u64>, ScheduleError> {
        let record = self.get(queue, name).await?;
        let plan = Plan::of(&record.schedule.when)?;
        let times = std::iter::successors(record.next_at, |time| plan.after(*time));
        Ok(times.take(most).collect())
    }
}
