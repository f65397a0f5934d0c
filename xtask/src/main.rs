//! The project's own commands. `cargo xtask help` lists them; `cargo dev` is the one to start with.
//!
//! Plain synchronous code that depends on none of the other crates, so that it builds in seconds and works while
//! they do not compile.

mod bench;
mod browser;
mod child;
mod ci;
mod counts;
mod dev;
mod faults;
mod install;
mod instructions;
mod kubernetes;
mod outcome;
mod pip;
mod plan;
mod ports;
mod probe;
mod program;
mod promtool;
mod redis;
mod rolling;
mod say;
mod scale;
mod schedules;
mod server;
mod stack;
mod test;
mod tidy;
mod token;
mod wheel;
mod whole;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    Dev(dev::DevArgs),
    Test(test::TestArgs),
    Tidy(tidy::TidyArgs),
    Bench(bench::BenchArgs),
    Instructions(instructions::InstructionsArgs),
    Scale(scale::ScaleArgs),
    Schedules(schedules::SchedulesArgs),
    Rolling(rolling::RollingArgs),
    Faults(faults::FaultsArgs),
    Token(token::TokenArgs),
    Lint(ci::LintArgs),
    Ci(ci::CiArgs),
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Dev(args) => dev::run(&args),
        Command::Test(args) => Ok(test::run(&args)),
        Command::Tidy(args) => tidy::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Instructions(args) => instructions::run(&args),
        Command::Scale(args) => scale::run(&args),
        Command::Schedules(args) => schedules::run(&args),
        Command::Rolling(args) => rolling::run(&args),
        Command::Faults(args) => faults::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Lint(args) => ci::lint(&args),
        Command::Ci(args) => Ok(ci::run(&args)),
    };
    result.unwrap_or_else(|error| {
        say::error(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}
