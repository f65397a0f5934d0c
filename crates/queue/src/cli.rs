//! The command line: which commands there are, and where their options may stand.
//!
//! How to reach Redis may be said before or after a command. Never does anything itself.

use std::{ffi::OsString, process::ExitCode};

use broker::{QueueArgs, RedisArgs};
use clap::{
    Args as _, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, error::ErrorKind,
    parser::ValueSource,
};

use crate::{
    CancelArgs, CompletionsArgs, DeleteArgs, DrainArgs, EnqueueArgs, ErrorsArgs, JobArgs, JobsArgs,
    LimitsArgs, ManagerArgs, PartitionsArgs, PauseArgs, PriorityArgs, ResumeArgs, RetryArgs,
    RunNowArgs, SchedulesArgs, StatsArgs, TenantsArgs, TopArgs, WatchArgs, WorkersArgs,
};

const EXAMPLES: &str = "\
Examples:
  queue                                 # run the manager until Ctrl-C or SIGTERM
  queue stats --since 1h                # how many jobs are where, and what happened lately
  queue top                             # the same and more, live on a full screen
  queue errors                          # what went wrong, and how often
  queue jobs --state failed --limit 20  # the last 20 that failed
  queue job 01ARZ3NDEKTSV4RRFFQ69G5FAV  # everything about one
  queue enqueue chat '{\"msg\":\"hi\"}' --wait
  queue retry --queue chat --error timeout --dry-run
  queue limits chat --max-active 50 --rate 100/s
  queue schedules set report --cron '0 0 6 * * *' --zone Europe/Berlin report null
  queue stats --json | jq '.queues[].jobs.failed'

`queue COMMAND --help` has examples of each.

Exit codes: 0 done; 1 not found, in conflict, a job that did not complete, or Redis is away; 2 the
command line makes no sense. Jobs that changed before a bulk command came to them are counted, and
are no failure.";

/// Keeps the queues in order, and looks into them
///
/// Without a command it is the manager: it runs delayed jobs when they are due, hands in what schedules say, takes back the jobs of dead workers,
/// forgets what is past its time, and serves /livez, /readyz and /metrics. Any number may run.
#[derive(Parser, Clone, Debug)]
#[command(name = "queue", version, after_help = EXAMPLES, subcommand_value_name = "COMMAND")]
pub struct Cli {
    /// How to reach Redis, for every command.
    #[command(flatten, next_help_heading = "Redis")]
    pub redis: RedisArgs,
    /// How the manager runs.
    #[command(flatten, next_help_heading = "Manager")]
    pub manager: ManagerArgs,
    /// What to do instead of running the manager.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What an operator may ask for.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Show how many jobs each queue has in each state, and what happened in it
    Stats(StatsArgs),
    /// List jobs, by state and other filters
    Jobs(Box<JobsArgs>),
    /// Show everything about one job
    Job(JobArgs),
    /// Show what went wrong lately, and how often
    Errors(ErrorsArgs),
    /// Watch the counts live
    Watch(WatchArgs),
    /// Watch queues, workers and jobs on a full screen, and act on them
    Top(Box<TopArgs>),
    /// Show who runs the jobs
    Workers(WorkersArgs),
    /// Show what each tenant has in a queue
    Tenants(TenantsArgs),
    /// Hand in a job, and if wanted wait for its end
    Enqueue(Box<EnqueueArgs>),
    /// Run failed or cancelled jobs again, with all their attempts
    Retry(Box<RetryArgs>),
    /// Stop jobs before or while they run
    Cancel(Box<CancelArgs>),
    /// Put delayed jobs in line before their time
    RunNow(Box<RunNowArgs>),
    /// Move jobs that wait to another line
    Priority(Box<PriorityArgs>),
    /// Forget jobs, with their results and logs
    Delete(Box<DeleteArgs>),
    /// Cancel all that waits in a queue
    Drain(Box<DrainArgs>),
    /// Let a queue take jobs and run none
    Pause(PauseArgs),
    /// Let a paused queue run jobs again
    Resume(ResumeArgs),
    /// Show and set what a queue and its tenants may have
    Limits(LimitsArgs),
    /// Show into how many partitions a queue is split, and split it otherwise
    Partitions(PartitionsArgs),
    /// List and set what is handed in when
    Schedules(SchedulesArgs),
    /// Print what a shell needs to complete this command line
    Completions(CompletionsArgs),
}

/// Why a command line is not taken: an error, or a request for help.
#[derive(Debug)]
pub struct Refusal(clap::Error);

impl Refusal {
    /// Prints it where it belongs, and says how the process should end.
    pub fn report(&self) -> ExitCode {
        // Whoever closed our output does not want to read on.
        let _ = self.0.print();
        ExitCode::from(u8::try_from(self.0.exit_code()).unwrap_or(2))
    }
}

impl Cli {
    /// Reads the process' own command line and environment.
    pub fn read() -> Result<Self, Refusal> {
        Self::read_from(std::env::args_os())
    }

    /// Reads a command line whose first word is the program's name.
    pub fn read_from<T: Into<OsString> + Clone>(
        words: impl IntoIterator<Item = T>,
    ) -> Result<Self, Refusal> {
        Self::parsed(words).map_err(Refusal)
    }

    /// The whole command line, as clap knows it.
    pub(crate) fn definition() -> clap::Command {
        let redis = arguments(RedisArgs::augment_args);
        let keep = arguments(QueueArgs::augment_args);
        let kept = |command: clap::Command| {
            // Of commands that have options of these names, only those that have all mean the same.
            let ids: Vec<_> = command.get_arguments().map(clap::Arg::get_id).collect();
            let all = keep.iter().all(|id| ids.contains(&id));
            command.mut_args(|arg| {
                let hide = all && keep.contains(arg.get_id());
                arg.hide_short_help(hide)
            })
        };
        kept(Self::command())
            .mut_args(|arg| {
                if redis.contains(arg.get_id()) {
                    arg.global(true)
                } else {
                    arg
                }
            })
            .mut_subcommands(kept)
    }

    fn parsed<T: Into<OsString> + Clone>(
        words: impl IntoIterator<Item = T>,
    ) -> Result<Self, clap::Error> {
        let mut command = Self::definition();
        let mut matches = command.try_get_matches_from_mut(words)?;
        if let Some(name) = matches.subcommand_name() {
            let given =
                |id: &clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
            // It would be ignored without a word.
            if let Some(id) = arguments(ManagerArgs::augment_args)
                .iter()
                .find(|id| given(id))
            {
                let option = id.as_str().replace('_', "-");
                let message = format!(
                    "--{option} before `{name}` is an option of the manager; options of `{name}` come after it"
                );
                return Err(command.error(ErrorKind::ArgumentConflict, message));
            }
        }
        Self::from_arg_matches_mut(&mut matches)
    }
}

/// The ids of a group's arguments.
fn arguments(augment: fn(clap::Command) -> clap::Command) -> Vec<clap::Id> {
    augment(clap::Command::new(""))
        .get_arguments()
        .map(|arg| arg.get_id().clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{Cli, Command};

    fn read(line: &str) -> Result<Cli, String> {
        Cli::read_from(line.split(' ')).map_err(|refusal| refusal.0.to_string())
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn redis_is_named_before_or_after_the_command() {
        for line in [
            "queue --key-prefix p stats --json",
            "queue stats --json --key-prefix p",
        ] {
            let cli = read(line).unwrap();
            assert_eq!(cli.redis.key_prefix, "p", "{line}");
            assert!(matches!(cli.command, Some(Command::Stats(args)) if args.json));
        }
    }

    #[test]
    fn an_option_of_the_manager_is_not_swallowed() {
        let error = read("queue --interval-ms 50 watch").unwrap_err();
        assert!(error.contains("--interval-ms before `watch`"), "{error}");
        assert!(read("queue watch --interval 200ms").is_ok());
        assert!(read("queue --interval-ms 50").unwrap().command.is_none());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        for line in [
            "queue job x",
            "queue retry --all x",
            "queue enqueue chat",
            "queue limits chat --rate 5",
            "queue pause",
            "queue completions dos",
            "queue schedules set a kind 1",
            "queue schedules set a --every 5s --at 2026-01-01T00:00:00Z kind 1",
            "queue schedules set a --every 5s --zone UTC kind 1",
            "queue schedules set a:b --every 5s kind 1",
            "queue schedules next a -n 0",
            "queue schedules --json show a",
            "queue schedules apply",
            "queue jobs --state done",
            "queue jobs --limit 0",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
        assert!(read(&format!("queue job {id} --queue a:b")).is_err());
        assert!(read(&format!("queue retry {id} {id}")).is_ok());
        // Ids and filters exclude each other.
        for filter in [
            "--kind x",
            "--state failed",
            "--text x",
            "--all",
            "--limit 5",
        ] {
            assert!(read(&format!("queue retry {id} {filter}")).is_err());
            assert!(read(&format!("queue retry --queue q {filter}")).is_ok());
        }
        assert!(read(&format!("queue retry {id} --dry-run")).is_ok());
        for line in [
            "queue schedules",
            "queue --key-prefix p schedules --queue q --json",
            "queue schedules show a --json --key-prefix p",
            "queue schedules set a --every 5s kind 1",
        ] {
            assert!(read(line).is_ok(), "{line}");
        }
        let both = "queue limits chat --tenant a --tenant-rate 5/s";
        assert!(read(both).is_err());
    }
}
