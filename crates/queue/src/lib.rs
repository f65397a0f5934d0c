//! The queue manager and the operator's command line.
//!
//! - [`Manager`] keeps queues in order and measures them; [`Upkeep`] is one of its loops.
//! - [`Scheduler`] hands in what schedules say; operators set them with a [`ScheduleBook`].
//! - [`Chronicle`] keeps what queues had done at the beginning of each minute.
//! - The admin API, and the dashboard on it, do over HTTP what the commands do in a terminal.
//! - The commands look at jobs and change them, through `broker` alone.
//!
//! Nothing here is on a message's path, and nothing here holds state of its own: any number of managers may run,
//! and everything goes on, less tidily, when none does.

mod admin;
mod app;
mod chronicle;
mod cli;
mod commands;
mod console;
mod dashboard;
mod fault;
mod happened;
mod interrupt;
mod limit;
mod manager;
mod metrics;
mod output;
mod pressure;
mod progress;
mod rates;
mod schedules;
#[cfg(test)]
mod snapshot;
mod survey;
mod sweep;
mod table;
mod text;
mod upkeep;
mod whole;

pub use admin::{AdminArgs, AdminArgsError};
pub use app::run;
pub use chronicle::Chronicle;
pub use cli::{Cli, Command, Refusal};
pub use commands::{
    ApplyArgs, CancelArgs, ChangeArgs, CompletionsArgs, Cursor, DeleteArgs, DrainArgs, EnqueueArgs,
    ErrorsArgs, FileArgs, Filters, JobArgs, JobsArgs, LimitsArgs, NextArgs, OneArgs,
    PartitionsArgs, PauseArgs, PriorityArgs, ResumeArgs, RetryArgs, RunNowArgs, ScheduleAction,
    SchedulesArgs, Selection, SetArgs, StatsArgs, TenantsArgs, TopArgs, WatchArgs, WorkersArgs,
};
pub use limit::Limit;
pub use manager::{Manager, ManagerArgs};
pub use metrics::Metrics;
pub use schedules::{
    FileChange, FileError, InvalidPlan, Plan, Ran, ScheduleBook, ScheduleError, ScheduleFile,
    Scheduler,
};
pub use survey::QueueStats;
pub use text::millis::{Millis, MillisError};
pub use upkeep::Upkeep;
