//! The commands, one a file. Each reads what it needs, lays it out and prints it.

mod job;
mod jobs;
mod retry;
mod stats;
mod watch;

pub use job::JobArgs;
pub(crate) use job::job;
pub use jobs::JobsArgs;
pub(crate) use jobs::jobs;
pub use retry::RetryArgs;
pub(crate) use retry::retry;
pub use stats::StatsArgs;
pub(crate) use stats::stats;
pub use watch::WatchArgs;
pub(crate) use watch::watch;
