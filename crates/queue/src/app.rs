//! From a command line that was understood to an exit code.
//!
//! 0: done; 1: not found, a conflict, a job that did not complete, or Redis is away; 2: what was asked for makes no sense. Never prints a result.

use std::process::ExitCode;

use crate::{Cli, Command, Manager, commands, console::Console, fault::Fault, output};

/// Does what was asked for: a command, or else the manager until it is told to stop.
pub async fn run(cli: Cli) -> ExitCode {
    match try_run(cli).await {
        Ok(code) => code,
        Err(fault) => {
            if !matches!(fault, Fault::Closed | Fault::Told) {
                output::complain(&fault.to_string());
            }
            ExitCode::from(fault.code())
        }
    }
}

async fn try_run(cli: Cli) -> Result<ExitCode, Fault> {
    let console = Console::new(&cli.redis)?;
    match cli.command {
        Some(command) => dispatch(&console, command)
            .await
            .map(|()| ExitCode::SUCCESS),
        None => Manager::run(console.redis, cli.manager)
            .await
            .map_err(|error| Fault::Manager(format!("{error:#}"))),
    }
}

async fn dispatch(console: &Console, command: Command) -> Result<(), Fault> {
    match command {
        Command::Stats(args) => commands::stats(console, &args).await,
        Command::Jobs(args) => commands::jobs(console, &args).await,
        Command::Errors(args) => commands::errors(console, &args).await,
        Command::Job(args) => commands::job(console, &args).await,
        Command::Workers(args) => commands::workers(console, &args).await,
        Command::Tenants(args) => commands::tenants(console, &args).await,
        Command::Enqueue(args) => commands::enqueue(console, *args).await,
        Command::Retry(args) => commands::retry(console, *args).await,
        Command::Cancel(args) => commands::cancel(console, *args).await,
        Command::RunNow(args) => commands::run_now(console, *args).await,
        Command::Priority(args) => commands::priority(console, *args).await,
        Command::Delete(args) => commands::delete(console, *args).await,
        Command::Drain(args) => commands::drain(console, *args).await,
        Command::Pause(args) => commands::pause(console, &args).await,
        Command::Partitions(args) => commands::partitions(console, &args).await,
        Command::Resume(args) => commands::resume(console, &args).await,
        Command::Limits(args) => commands::limits(console, &args).await,
        Command::Schedules(args) => commands::schedules(console, args).await,
        Command::Completions(args) => commands::completions(console, &args),
        Command::Watch(args) => commands::watch(console, &args).await,
        Command::Top(args) => commands::top(console, *args).await,
    }
}
