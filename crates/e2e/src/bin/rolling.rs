//! Restarts all servers and workers while clients follow streams: `cargo xtask rolling` builds it first.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Parser;
use e2e::rolling::{Plan, run};

/// Restarts every server and every worker, one after the other, while clients follow streams of jobs, and compares what
/// each client got with the logs. Exits with 1 if an event is missing, doubled or out of order, or if clients came back in a
/// crowd.
#[derive(Parser)]
#[command(name = "rolling", version)]
struct Args {
    /// How many servers
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..=20))]
    servers: u16,
    /// How many workers
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=20))]
    workers: u16,
    /// How many clients
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..))]
    clients: u16,
    /// How many channels they follow
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    channels: u16,
    /// How many jobs are handed in a second, each with ten pieces of output in one second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Over how many milliseconds a server spreads its closes
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..=20_000))]
    drain_window_ms: u64,
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
    let verdict = run(Plan {
        servers: args.servers.into(),
        workers: args.workers.into(),
        clients: args.clients.into(),
        channels: args.channels.into(),
        drain_ms: args.drain_window_ms,
        rate: args.rate,
    })
    .await?;
    println!(
        "{} servers and {} workers replaced in {:.1} s, under {} jobs; {} clients got {} events",
        args.servers,
        args.workers,
        std::time::Duration::from_millis(verdict.took_ms).as_secs_f64(),
        verdict.jobs,
        verdict.clients,
        verdict.events,
    );
    println!(
        "missing {}, doubled {}, out of order {}, altered {}, not recovered {}; jobs not completed once {}, begun again {}",
        verdict.missing,
        verdict.doubled,
        verdict.disordered,
        verdict.altered,
        verdict.unrecovered,
        verdict.not_completed_once,
        verdict.begun_again,
    );
    println!(
        "{} reconnects, away for {} ms (median), {} ms (longest); in each tenth of the drain window of {} ms:",
        verdict.reconnects, verdict.away_ms.0, verdict.away_ms.1, verdict.window_ms,
    );
    for line in verdict.histogram() {
        println!("  {line}");
    }
    let wrongs = verdict.wrongs();
    for wrong in &wrongs {
        println!("FAIL  {wrong}");
    }
    println!("{}", if wrongs.is_empty() { "PASS" } else { "FAIL" });
    if let Some(path) = args.json {
        let text = serde_json::to_string_pretty(&verdict)?;
        std::fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(ExitCode::from(u8::from(!wrongs.is_empty())))
}
