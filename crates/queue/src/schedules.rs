//! Schedules: which jobs are handed in when, and by which of the managers.
//!
//! - [`ScheduleBook`] is for operators: it checks what is said and says when a schedule is next.
//! - [`Scheduler`] is the loop of a manager that hands in what is due.
//! - [`ScheduleFile`] is a file of schedules, and what it changes.
//!
//! Redis' clock is the only one. There is no leader: each schedule that is due is leased by one manager.

mod book;
mod cron;
mod file;
mod plan;
mod run;
mod scheduler;

pub use book::{ScheduleBook, ScheduleError};
pub use file::{FileChange, FileError, ScheduleFile};
pub use plan::{InvalidPlan, Plan};
pub use scheduler::{Ran, Scheduler};
