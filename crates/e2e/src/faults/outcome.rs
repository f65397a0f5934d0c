//! What became of faults, and of those who were not struck.

use serde::Serialize;

use super::schedule::{Fault, Target};

/// What became of a fault.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// As it was planned.
    #[serde(flatten)]
    pub fault: Fault,
    /// When it began, in milliseconds since the Unix epoch; absent if it never did.
    pub began_at: Option<u64>,
    /// How many jobs waited or ran, if Redis could be asked.
    pub under_way: Option<u64>,
    /// How the process ended that was asked to.
    pub exit: Option<String>,
    /// How long it took to end, in milliseconds.
    pub exit_ms: Option<u64>,
    /// How long after it was mended everyone concerned was ready, in milliseconds.
    pub ready_ms: Option<u64>,
    /// Whether it went as it must.
    pub well: bool,
}

/// A process that ended although nobody asked it to.
#[derive(Clone, Debug, Serialize)]
pub struct Collapse {
    /// Which.
    pub target: Target,
    /// How.
    pub status: String,
    /// What it logged last.
    pub log: String,
}
