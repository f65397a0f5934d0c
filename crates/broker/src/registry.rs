//! What a worker says of itself, for operators and for the scripts that ask which kinds are known.

use protocol::Kind;
use serde::{Deserialize, Serialize};

/// What a worker is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerCard {
    /// The host that it runs on.
    pub host: String,
    /// Its process' id there.
    pub pid: u32,
    /// The version of its program.
    pub version: String,
    /// How many jobs it runs at a time.
    pub concurrency: u32,
    /// How many jobs it held at its last beat.
    pub active: u32,
    /// When it started, by its own clock, in milliseconds since the Unix epoch.
    pub started_at: u64,
}

/// A worker in the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerStatus {
    /// Its name, which is unique per start.
    pub name: String,
    /// What it said of itself.
    #[serde(flatten)]
    pub card: WorkerCard,
    /// The kinds that it has handlers for; none means all.
    pub kinds: Vec<Kind>,
    /// When it last gave a sign of life, by Redis' clock, in milliseconds since the Unix epoch.
    pub beat_at: u64,
    /// Whether it counts as alive: its lease has not run out.
    pub alive: bool,
}

/// Kinds as the scripts read them.
pub(crate) fn words(kinds: &[Kind]) -> String {
    kinds.iter().map(Kind::as_str).collect::<Vec<_>>().join(" ")
}
