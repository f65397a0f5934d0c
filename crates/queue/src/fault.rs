//! Why a command did not do what it was asked for, as one sentence and an exit code.

use std::io;

use protocol::{JobId, QueueName, ScheduleName};

use crate::text::millis::Millis;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The settings can't be used.
    #[error("{0}")]
    Settings(String),
    /// What was asked for makes no sense together.
    #[error("{0}")]
    Usage(String),
    /// The job was not taken.
    #[error("{0}")]
    Refused(String),
    /// The job goes on after all that it was waited for.
    #[error("{0} has not ended within {1}: it goes on")]
    NotEnded(JobId, Millis),
    /// The manager can't start.
    #[error("{0}")]
    Manager(String),
    /// Redis is away, or answers in a way that is not understood.
    #[error("{0}")]
    Redis(String),
    /// There is no such queue.
    #[error("no queue is named `{0}`")]
    NoQueue(QueueName),
    /// There is no such job.
    #[error("no job has the id {0}: it never was, or is forgotten by now")]
    NoJob(JobId),
    /// There is no such schedule.
    #[error("queue {0} has no schedule `{1}`")]
    NoSchedule(QueueName, ScheduleName),
    /// The process can't be told to stop.
    #[error("signals can't be caught: {0}")]
    Signals(#[source] io::Error),
    /// Told to stop before all was done.
    #[error("stopped before the end: run it again for the rest")]
    Stopped,
    /// Standard output is not writable.
    #[error("the result can't be written: {0}")]
    Output(#[source] io::Error),
    /// Whoever read standard output has seen enough.
    #[error("standard output is closed")]
    Closed,
    /// What went wrong was said already, line by line.
    #[error("see above")]
    Told,
}

impl Fault {
    /// How the process ends.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Settings(_) | Self::Usage(_) => 2,
            _ => 1,
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Output(error),
        }
    }
}

/// What an error of Redis means to a person: says where Redis is, and never holds a password.
pub(crate) fn sentence(error: &broker::Error, address: &str) -> String {
    match error {
        broker::Error::Connect(source) => format!("Redis at {address} can't be reached: {source}"),
        _ if error.is_out_of_memory() => format!("the memory of Redis at {address} is full"),
        broker::Error::Command(source) if error.is_temporary() => {
            format!("Redis at {address} can't be used now: {source}")
        }
        broker::Error::Command(source) => {
            format!("Redis at {address} answered with an error: {source}")
        }
        _ => {
            let source = std::error::Error::source(error);
            source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
        }
    }
}
