//! The fault harness: runs the whole system under load, strikes it, and judges what became of every accepted job.
//!
//! Start reading at `stage.rs`. What is wrong is decided in `judge.rs` and `rerun.rs` alone, from data.

pub mod book;
pub mod chatter;
pub mod dice;
pub mod director;
pub mod disk;
pub mod excuse;
pub mod fleet;
pub mod history;
pub mod judge;
pub mod kind;
pub mod link;
pub mod outcome;
pub mod pace;
pub mod progress;
pub mod report;
pub mod rerun;
pub mod run_log;
pub mod schedule;
pub mod settings;
pub mod spread;
pub mod stage;
pub mod submitter;
pub mod watcher;
pub mod work;

pub use kind::FaultKind;
pub use progress::{print_report, print_schedule, say};
pub use report::{Check, Report};
pub use run_log::RunLog;
pub use settings::{FaultArgs, Fsync};
pub use stage::{plan, run};
pub use work::{WORK_KIND, Work, work};
