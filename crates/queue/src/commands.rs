//! The commands, one a file. Each reads what it needs, lays it out and prints it.

mod bulk;
mod cancel;
mod change;
mod completions;
mod delete;
mod drain;
mod enqueue;
mod job;
mod jobs;
mod limits;
mod pause;
mod retry;
mod schedules;
mod selection;
mod stats;
mod tenants;
mod verb;
mod watch;
mod workers;

pub use cancel::CancelArgs;
pub(crate) use cancel::cancel;
pub use change::ChangeArgs;
pub use completions::CompletionsArgs;
pub(crate) use completions::completions;
pub use delete::DeleteArgs;
pub(crate) use delete::delete;
pub use drain::DrainArgs;
pub(crate) use drain::drain;
pub use enqueue::EnqueueArgs;
pub(crate) use enqueue::enqueue;
pub use job::JobArgs;
pub(crate) use job::job;
pub use jobs::JobsArgs;
pub(crate) use jobs::jobs;
pub use limits::LimitsArgs;
pub(crate) use limits::limits;
pub use pause::{PauseArgs, ResumeArgs};
pub(crate) use pause::{pause, resume};
pub use retry::RetryArgs;
pub(crate) use retry::retry;
pub(crate) use schedules::schedules;
pub use schedules::{
    Action as ScheduleAction, ApplyArgs, FileArgs, NextArgs, OneArgs, SchedulesArgs, SetArgs,
};
pub use selection::Selection;
pub use stats::StatsArgs;
pub(crate) use stats::stats;
pub use tenants::TenantsArgs;
pub(crate) use tenants::tenants;
pub(crate) use verb::Verb;
pub use watch::WatchArgs;
pub(crate) use watch::watch;
pub use workers::WorkersArgs;
pub(crate) use workers::workers;
