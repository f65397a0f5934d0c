//! The whole path: a text goes in, comes back to everybody at once, and its result follows when its job has ended.

mod run;

use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use super::{Latency, Order, Pace, Usage, Watched};

use run::Run;

/// How long a run is, once it is warm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Until so many messages are through.
    Messages(u64),
    /// For so long.
    Time(Duration),
}

impl Length {
    /// How long to count at most, and until how many messages.
    pub(crate) const fn limits(self) -> (Duration, u64) {
        match self {
            Self::Time(time) => (time, u64::MAX),
            // Whether anything moves at all is looked at elsewhere.
            Self::Messages(messages) => (Duration::from_secs(24 * 3600), messages),
        }
    }
}

/// A load on one server that speaks the plain protocol.
#[derive(Clone, Debug)]
pub struct Path {
    /// The server's port on this machine.
    pub port: u16,
    /// The path of the upgrade.
    pub path: String,
    /// How many of the connections send.
    pub senders: usize,
    /// How many connections there are: each gets everything.
    pub receivers: usize,
    /// How long a text is, in bytes.
    pub bytes: usize,
    /// When messages are sent.
    pub pace: Pace,
    /// How long to go on before anything is counted.
    pub warm_up: Duration,
    /// How long to count.
    pub length: Length,
    /// In which order results must come.
    pub order: Order,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct PathFigures {
    /// How many messages were through in the time that was measured: their results were back at their senders.
    pub messages: u64,
    /// How long that was.
    pub seconds: f64,
    /// Messages in a second.
    pub per_second: f64,
    /// From when a message was to be sent to its result.
    pub result_ms: Latency,
    /// From when a message was to be sent to its coming back; over HTTP, to its being stored.
    pub message_ms: Latency,
    /// How many results came before one of an earlier message, warm-up included.
    pub early_results: u64,
    /// What the processes used in this time.
    pub usage: Vec<Usage>,
}

impl Path {
    /// Makes the load and checks everything that comes.
    pub fn run(&self, watched: &[Watched]) -> anyhow::Result<PathFigures> {
        ensure!(
            (1..=self.receivers).contains(&self.senders),
            "there must be a sender, and every sender is a receiver"
        );
        ensure!(
            self.senders <= 10_000,
            "a sender's number has four digits: at most 10,000"
        );
        Run::connect(self)?.run(watched)
    }
}

#[cfg(test)]
mod tests;
