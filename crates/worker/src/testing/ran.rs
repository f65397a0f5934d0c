//! What an attempt left behind.

use std::time::Duration;

use broker::Settled;
use protocol::{EventType, Failure};
use serde_json::Value;

use super::running::value;

/// An attempt that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// How it ended.
    pub outcome: Outcome,
    /// What the handler emitted, in order.
    pub events: Vec<(EventType, Value)>,
}

impl Ran {
    /// The data of the `progress` events, in order.
    pub fn progress(&self) -> Vec<Value> {
        self.data(EventType::Progress)
    }

    /// The data of the `chunk` events, in order.
    pub fn chunks(&self) -> Vec<Value> {
        self.data(EventType::Chunk)
    }

    fn data(&self, wanted: EventType) -> Vec<Value> {
        let events = self.events.iter();
        events
            .filter(|(event, _)| *event == wanted)
            .map(|(_, data)| data.clone())
            .collect()
    }
}

/// How an attempt ended, judged by the rules of the queue.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With this result.
    Completed(Value),
    /// It failed.
    Failed {
        /// What is kept with the job.
        failure: Failure,
        /// The pause before the next attempt. `None` if the job failed for good. How many attempts the job has left
        /// is not looked at.
        retry: Option<Duration>,
    },
    /// It was told to end because the job was cancelled, and did so without a result.
    Cancelled,
    /// The job waits again, without having spent an attempt: it was told to end because the worker stops.
    HandedBack,
}

impl Outcome {
    pub(super) fn of(settled: Settled) -> Self {
        match settled {
            Settled::Completed(result) => Self::Completed(value(&result)),
            Settled::Retry(failure, pause) => Self::Failed {
                failure,
                retry: Some(pause),
            },
            Settled::Failed(failure) => Self::Failed {
                failure,
                retry: None,
            },
            Settled::Cancelled => Self::Cancelled,
            Settled::HandedBack => Self::HandedBack,
        }
    }

    /// The failure, if it is one.
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { failure, .. } => Some(failure),
            _ => None,
        }
    }
}
