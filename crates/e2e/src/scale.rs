//! How the queue bears size: what a long line, many due jobs, a busy neighbour or a million jobs cost everybody else.
//!
//! Each question is asked twice side by side, small and large, since the machine's own speed means little.

mod apart;
mod backlog;
mod baseline;
mod due;
mod fairness;
mod lists;
mod load;
mod shards;
mod spread;

pub use apart::{Apart, Work, apart};
pub use backlog::{Backlog, backlog};
pub use baseline::{Baseline, baseline};
pub use due::{Due, due};
pub use fairness::{Fairness, fairness};
pub use lists::{Lists, lists};
pub use shards::{Shards, shards};
pub use spread::Spread;
