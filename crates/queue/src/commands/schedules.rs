//! `queue schedules`: what is handed in when. Never hands anything in but with `run`: managers do.

use std::path::PathBuf;

use broker::QueueArgs;
use clap::{Args, Subcommand};
use protocol::{QueueName, ScheduleName};

use crate::{ScheduleBook, ScheduleError, console::Console, fault::Fault};

mod apply;
mod list;
mod portrait;
mod set;
mod switch;

pub use set::SetArgs;

/// Options of `queue schedules`.
#[derive(Args, Clone, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_value_name = "ACTION",
    after_help = "\
Managers hand in a job whenever a schedule is due, each run once, whichever of them come and go.
Its idempotency key is schedule/NAME/TIME.

Examples:
  queue schedules
  queue schedules set report --cron '0 30 6 * * MON-FRI' --zone Europe/Berlin report '{\"of\":\"yesterday\"}'
  queue schedules set beat --every 30s beat null
  queue schedules next report -n 10
  queue schedules pause report
  queue schedules apply schedules.toml --dry-run"
)]
pub struct SchedulesArgs {
    /// What to do; lists them without
    #[command(subcommand)]
    pub action: Option<Action>,
    /// Only those of this queue
    #[arg(long)]
    pub queue: Option<QueueName>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// What may be done with schedules.
#[derive(Subcommand, Clone, Debug)]
pub enum Action {
    /// Set a schedule, in place of the one of its name
    Set(Box<SetArgs>),
    /// Show everything about one
    Show(OneArgs),
    /// Forget one; jobs that it handed in go on
    Remove(OneArgs),
    /// Let one rest: what would run meanwhile never does
    Pause(OneArgs),
    /// Let one go on
    Resume(OneArgs),
    /// Hand in the job of one now, as an extra run
    Run(OneArgs),
    /// Print when one runs next
    Next(NextArgs),
    /// Make all schedules of a file be as it says: those that vanished from it are removed
    Apply(ApplyArgs),
    /// Check a file, without Redis
    Validate(FileArgs),
}

/// Which schedule.
#[derive(Args, Clone, Debug)]
pub struct OneArgs {
    /// The schedule
    pub name: ScheduleName,
    /// Its queue
    #[arg(long, default_value = "chat")]
    pub queue: QueueName,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// Options of `queue schedules next`.
#[derive(Args, Clone, Debug)]
pub struct NextArgs {
    /// Which one.
    #[command(flatten)]
    pub one: OneArgs,
    /// How many times
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub count: u16,
}

/// Options of `queue schedules apply`.
#[derive(Args, Clone, Debug)]
pub struct ApplyArgs {
    /// Which file.
    #[command(flatten)]
    pub file: FileArgs,
    /// Change nothing, and say what would change
    #[arg(long)]
    pub dry_run: bool,
}

/// Which file.
#[derive(Args, Clone, Debug)]
pub struct FileArgs {
    /// JSON, or TOML if its name ends so
    pub file: PathBuf,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn schedules(console: &Console, args: SchedulesArgs) -> Result<(), Fault> {
    match args.action {
        None => list::list(console, args.queue.as_ref(), args.json).await,
        Some(Action::Set(args)) => set::set(console, *args).await,
        Some(Action::Show(one)) => portrait::show(console, &one).await,
        Some(Action::Next(args)) => portrait::next(console, &args).await,
        Some(Action::Remove(one)) => switch::remove(console, &one).await,
        Some(Action::Pause(one)) => switch::switch(console, &one, true).await,
        Some(Action::Resume(one)) => switch::switch(console, &one, false).await,
        Some(Action::Run(one)) => switch::run(console, &one).await,
        Some(Action::Apply(args)) => apply::apply(console, &args).await,
        Some(Action::Validate(args)) => apply::validate(console, &args),
    }
}

fn book(console: &Console) -> ScheduleBook {
    ScheduleBook::new(console.redis.clone(), QueueArgs::default())
}

/// An error as a person is told of it.
fn fault(console: &Console, error: ScheduleError) -> Fault {
    match error {
        ScheduleError::Redis(error) => console.fault(&error),
        ScheduleError::Invalid(_) | ScheduleError::Plan(_) => Fault::Usage(error.to_string()),
        ScheduleError::NotFound(queue, name) => Fault::NoSchedule(queue, name),
        error => Fault::Refused(error.to_string()),
    }
}
