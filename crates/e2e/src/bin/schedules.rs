//! Proves that each run of a schedule happens once while managers are killed: `cargo xtask schedules` builds it first.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, ensure};
use clap::Parser;
use e2e::schedules::{Trial, run};

/// Kills managers at random, and looks for every run of every schedule. Exits with 1 if one did not happen once.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// For how many minutes managers are killed
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// How many schedules
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    schedules: u32,
    /// Every how many seconds each of them runs: a divisor of 60
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=60))]
    every: u32,
    /// How many managers
    #[arg(long, default_value_t = 3)]
    managers: usize,
    /// At most how many milliseconds there are between two strikes
    #[arg(long, default_value_t = 4_000)]
    calm_ms: u64,
    /// Which strikes, and when
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the outcome there, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[tokio::main]
#[allow(
    clippy::print_stdout,
    reason = "the outcome is what this program is for"
)]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    ensure!(60 % args.every == 0, "--every must be a divisor of 60");
    let trial = Trial {
        schedules: args.schedules,
        every_secs: args.every,
        managers: args.managers.max(1),
        lasts: Duration::from_secs_f64(args.minutes * 60.0),
        calm: Duration::from_millis(args.calm_ms),
        seed: args.seed,
    };
    let outcome = run(trial).await?;
    let right = outcome.verdict.is_right();
    println!(
        "{}: {} schedules every {} s, {} managers, {} minutes, seed {}: {} killed, {} stopped for longer than a lease",
        if right { "PASS" } else { "FAIL" },
        args.schedules,
        args.every,
        args.managers,
        args.minutes,
        args.seed,
        outcome.kills,
        outcome.stops,
    );
    for line in outcome.verdict.lines() {
        println!("  {line}");
    }
    if let Some(path) = args.json {
        let text = serde_json::to_string_pretty(&outcome)?;
        std::fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(ExitCode::from(u8::from(!right)))
}
