//! Keeps the schedules of queues: what is said of each, how far it is, and who runs it now.
//!
//! Never computes a time: who sets one says when it is next. A schedule that is due is claimed for as long as a lease by
//! whichever manager comes first, and settled by the one whose claim was the last; see [`Schedules::claim`].

use std::collections::HashMap;

use protocol::{
    JobId, LastRun, QueueName, Schedule, ScheduleName, ScheduleRecord, limits::MAX_SCHEDULES,
};

use crate::{
    Error, Keys, Redis,
    pairs::pairs,
    roll,
    script::{PAUSE_SCHEDULE, PUT_SCHEDULE, REMOVE_SCHEDULE},
};

mod claim;

pub use claim::{Claim, Claims, Settlement};

/// How many states are read at a time.
const PAGE: usize = 500;

/// What became of a schedule that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Put {
    /// It is new.
    Created,
    /// It is in place of the one of its name.
    Updated,
    /// The queue has as many as it may; nothing is stored.
    Full,
}

/// What became of a request to pause a schedule or to let it go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Paused {
    /// It is done.
    Done,
    /// It was so already.
    Same,
    /// Its times are not those that the next one was made from: read it again.
    Other,
    /// There is no such schedule.
    Missing,
}

/// The schedules of all queues under a prefix.
#[derive(Clone)]
pub struct Schedules {
    redis: Redis,
}

impl Schedules {
    /// The schedules under the connection's prefix.
    pub const fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Now by Redis' clock, the only one, in milliseconds since the Unix epoch.
    pub async fn now(&self) -> Result<u64, Error> {
        self.redis.now().await
    }

    /// Stores a schedule in place of the one of its name. `next` is its next time, and counts only where its times are
    /// new, or where it rested over the one it had: putting the same again changes nothing of when it runs.
    pub async fn put(&self, schedule: &Schedule, next: Option<u64>) -> Result<Put, Error> {
        let keys = self.keys(&schedule.queue);
        let paused = match schedule.paused {
            None => "",
            Some(false) => "0",
            Some(true) => "1",
        };
        // How it stands is kept beside, since a pause must not touch what was said.
        let said = Schedule {
            paused: None,
            ..schedule.clone()
        };
        let mut call = PUT_SCHEDULE.call(keys.base());
        call.arg(schedule.name.as_str())
            .arg(times(schedule))
            .arg(said.stored())
            .arg(time(next))
            .arg(paused)
            .arg(MAX_SCHEDULES);
        let answer: String = self.redis.script(&call).await?;
        let put = match answer.as_str() {
            "full" => return Ok(Put::Full),
            "created" => Put::Created,
            _ => Put::Updated,
        };
        // A queue with schedules is one, also before its first job.
        roll::enter(&self.redis, &schedule.queue).await?;
        Ok(put)
    }

    /// One schedule.
    pub async fn get(
        &self,
        queue: &QueueName,
        name: &ScheduleName,
    ) -> Result<Option<ScheduleRecord>, Error> {
        let keys = self.keys(queue);
        let mut pipeline = redis::pipe();
        pipeline
            .hget(keys.schedules(), name.as_str())
            .hget(keys.schedule_states(), name.as_str());
        let (said, state): (Option<String>, Option<String>) = self.redis.pipe(&pipeline).await?;
        said.map(|said| record(&said, state.as_deref())).transpose()
    }

    /// All schedules of a queue, by name. What can't be read is left out: see [`Schedules::get`].
    pub async fn list(&self, queue: &QueueName) -> Result<Vec<ScheduleRecord>, Error> {
        let keys = self.keys(queue);
        // A hash that grows while it is gone through may give a field twice.
        let said: HashMap<String, String> =
            pairs(&self.redis, "HSCAN", &keys.schedules(), usize::MAX)
                .await?
                .into_iter()
                .collect();
        let mut records = Vec::with_capacity(said.len());
        let said: Vec<_> = said.into_iter().collect();
        for page in said.chunks(PAGE) {
            let mut cmd = redis::cmd("HMGET");
            cmd.arg(keys.schedule_states());
            for (name, _) in page {
                cmd.arg(name);
            }
            let states: Vec<Option<String>> = self.redis.query(&cmd).await?;
            let pairs = page.iter().zip(states);
            records
                .extend(pairs.filter_map(|((_, said), state)| record(said, state.as_deref()).ok()));
        }
        records.sort_unstable_by(|a, b| a.schedule.name.cmp(&b.schedule.name));
        Ok(records)
    }

    /// Forgets a schedule; says whether there was one. Jobs that it handed in go on.
    pub async fn remove(&self, queue: &QueueName, name: &ScheduleName) -> Result<bool, Error> {
        let keys = self.keys(queue);
        let mut call = REMOVE_SCHEDULE.call(keys.base());
        call.arg(name.as_str());
        Ok(self.redis.script::<u64>(&call).await? > 0)
    }

    /// Pauses a schedule as it was read, or lets it go on: at `next` where it rested over the time it had.
    pub async fn pause(
        &self,
        schedule: &Schedule,
        paused: bool,
        next: Option<u64>,
    ) -> Result<Paused, Error> {
        let keys = self.keys(&schedule.queue);
        let mut call = PAUSE_SCHEDULE.call(keys.base());
        call.arg(schedule.name.as_str())
            .arg(u8::from(paused))
            .arg(times(schedule))
            .arg(time(next));
        let answer: String = self.redis.script(&call).await?;
        Ok(match answer.as_str() {
            "ok" => Paused::Done,
            "same" => Paused::Same,
            "other" => Paused::Other,
            _ => Paused::Missing,
        })
    }

    fn keys(&self, queue: &QueueName) -> Keys {
        Keys::new(self.redis.prefix(), queue.clone())
    }
}

/// The times of a schedule, as scripts compare them.
fn times(schedule: &Schedule) -> String {
    serde_json::to_string(&schedule.when).expect("numbers and text are always JSON")
}

/// A time as it stands in a state.
fn time(time: Option<u64>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::Stored(format!("a schedule: {error}"))
}

/// What was said and how far it is: see `lua/schedules/state.lua`.
fn record(said: &str, state: Option<&str>) -> Result<ScheduleRecord, Error> {
    let (_, said) = said
        .split_once('\n')
        .ok_or_else(|| unreadable("no times before it"))?;
    let mut schedule: Schedule = serde_json::from_str(said).map_err(unreadable)?;
    let words: Vec<&str> = state.unwrap_or_default().split(' ').collect();
    let [_, next, paused, at, job] = *words.as_slice() else {
        return Err(unreadable("its state is of another form"));
    };
    schedule.paused = Some(paused == "1");
    let last = at
        .parse()
        .ok()
        .zip(job.parse::<JobId>().ok())
        .map(|(at, job)| LastRun { at, job });
    Ok(ScheduleRecord {
        schedule,
        next_at: next.parse().ok(),
        last,
    })
}
