//! Everything that was seen in a run: what the judge judges.
//!
//! Plain data. All times are milliseconds since the Unix epoch by the clock of the one machine that all runs on.

use std::{
    collections::{HashMap, HashSet},
    time::{SystemTime, UNIX_EPOCH},
};

use protocol::{EventType, FailureCode, JobId, JobState, Topic};
use serde::Serialize;

/// Now.
pub fn now_ms() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// An event as it came from a channel's log.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which channel.
    pub topic: &'static str,
    /// Which incarnation of its log.
    pub epoch: String,
    /// Which place in it.
    pub offset: u64,
    /// Which job.
    pub job: JobId,
    /// What happened.
    pub event: EventType,
    /// In which attempt.
    pub attempt: u32,
    /// When.
    pub time: u64,
    /// The attempt that a result says that it is of.
    pub of_attempt: Option<u32>,
    /// Why, if it failed.
    pub failure: Option<FailureCode>,
}

/// Whether an attempt began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The handler was called.
    Begin,
    /// The handler returned.
    End,
}

/// One line of the run log, written by the handler itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// What happened.
    pub mark: Mark,
    /// To which job.
    pub job: JobId,
    /// In which attempt.
    pub attempt: u32,
    /// In which process.
    pub pid: u32,
    /// When.
    pub at: u64,
}

/// What Redis kept of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its state.
    pub state: JobState,
    /// Its latest attempt.
    pub attempt: u32,
    /// The attempt that its result says that it is of.
    pub of_attempt: Option<u32>,
    /// When it ended.
    pub finished: Option<u64>,
    /// On which channel its events are.
    pub topic: Topic,
}

/// A worker that could not work for longer than its lease.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// Its process.
    pub pid: u32,
    /// Since when.
    pub at: u64,
}

/// A time in which Redis did not answer.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Down {
    /// Since when.
    pub from: u64,
    /// Until when.
    pub to: u64,
    /// Whether it was killed: only then can it forget.
    pub killed: bool,
    /// How many bytes of its append-only file it lost then.
    pub lost_bytes: u64,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Jobs whose acceptance somebody was told of, and when.
    pub accepted: HashMap<JobId, u64>,
    /// Texts that came back to a client although no event announces them, and when.
    pub unannounced: Vec<(String, u64)>,
    /// Events in the order in which they came.
    pub events: Vec<Seen>,
    /// On which channel and when the follower said that events were lost.
    pub gaps: Vec<(&'static str, u64)>,
    /// The run log.
    pub runs: Vec<Run>,
    /// What Redis kept: read after a job's terminal event, and in the end for those without one.
    pub kept: HashMap<JobId, Kept>,
    /// Workers that were killed, stopped or cut off.
    pub outages: Vec<Outage>,
    /// When Redis did not answer.
    pub down: Vec<Down>,
    /// Jobs of which a receipt says that replicas have them, as text.
    pub confirmed: HashSet<String>,
}
