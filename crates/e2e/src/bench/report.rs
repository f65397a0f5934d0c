//! The figures of one run of the benchmark, as they are kept in JSON.

use serde::{Deserialize, Serialize};

/// All figures of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// What the run was made with.
    pub setting: Setting,
    /// The questions, in the order in which they are shown.
    pub rows: Vec<Row>,
    /// How cost grows with work.
    pub curves: Vec<Curve>,
}

/// Where, when and with what a run was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setting {
    /// When it began, RFC 3339 in UTC.
    pub date: String,
    /// Whether it was the short run, which proves less.
    pub quick: bool,
    /// How many seconds it took.
    pub seconds: f64,
    /// The processor's name, how many cores, and the memory.
    pub machine: String,
    /// Name and version of everything that was measured or ran beside: this project's commit, Redis, Node.js, each peer.
    pub versions: Vec<(String, String)>,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Rates.
    Higher,
    /// Times, CPU, memory.
    Lower,
}

/// One question, answered by each side on the same work in turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// What `--only` calls it.
    pub name: String,
    /// What was done, in one sentence.
    pub what: String,
    /// The samples' unit: `messages/s`, `ms`, `CPU s/1M deliveries`, `B/connection`.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
    /// What is to be reached.
    pub target: Option<Target>,
    /// This project first, then the peers.
    pub sides: Vec<Side>,
}

/// What a row is to reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// So many times the best peer's median in the same run, or better.
    Times(f64),
    /// The median is at most so much.
    AtMost(f64),
}

/// One side's answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Side {
    /// Its name, as a table's heading.
    pub name: String,
    /// One figure for each turn; empty if it was skipped.
    pub samples: Vec<f64>,
    /// Why it was skipped, or what else is to be said.
    pub note: Option<String>,
}

/// How a cost grows with work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Curve {
    /// What `--only` calls it.
    pub name: String,
    /// What was done, in one sentence.
    pub what: String,
    /// What the horizontal axis counts; its scale is logarithmic.
    pub x: String,
    /// What the vertical axis measures, with its unit.
    pub y: String,
    /// The lines.
    pub series: Vec<Series>,
    /// Where it bends, and why.
    pub note: Option<String>,
}

/// One line of a curve.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Series {
    /// What it shows.
    pub name: String,
    /// Its points, by rising x.
    pub points: Vec<(f64, f64)>,
}
