//! Measures the running system out of its release binaries: the idle latency of the whole path, and what an idle
//! system costs Redis.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use clap::Parser;
use e2e::{Client, Settings, System};
use serde::Serialize;

/// Measures a private system. `cargo xtask bench` builds it first.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Fewer samples
    #[arg(long)]
    quick: bool,
    /// Write the figures there, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    /// Text frame sent to result frame received, one at a time, in milliseconds.
    idle_latency_ms: Latency,
    /// Commands that idle processes send Redis in a second, all together.
    idle_commands_per_second: Commands,
}

#[derive(Serialize)]
struct Latency {
    samples: usize,
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

#[derive(Serialize)]
struct Commands {
    servers: usize,
    workers: usize,
    managers: usize,
    seconds: u64,
    /// Sent by processes: round trips.
    sent: f64,
    /// The same, and what scripts do inside of Redis.
    with_scripts: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let report = Report {
        idle_latency_ms: latency(if args.quick { 500 } else { 5_000 }).await?,
        idle_commands_per_second: commands(if args.quick { 10 } else { 60 }).await?,
    };
    print(&report);
    if let Some(path) = args.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

#[allow(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn print(report: &Report) {
    let Report {
        idle_latency_ms: latency,
        idle_commands_per_second: commands,
    } = report;
    println!(
        "idle latency, text frame to result frame, {} samples: p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
        latency.samples, latency.p50, latency.p90, latency.p99, latency.max
    );
    println!(
        "idle system ({} server, {} worker, {} queue manager, {} s): {:.1} commands/s sent to Redis, {:.1}/s with those inside scripts",
        commands.servers,
        commands.workers,
        commands.managers,
        commands.seconds,
        commands.sent,
        commands.with_scripts
    );
}

async fn latency(samples: usize) -> anyhow::Result<Latency> {
    let system = System::start(Settings::default()).await;
    let mut client = system.client(0).await;
    let warm_up = samples / 10;
    let mut times = Vec::with_capacity(samples);
    for n in 0..warm_up + samples {
        let start = Instant::now();
        ensure!(
            client.send(&format!("message {n}")).await,
            "the connection is over"
        );
        received(&client, 2 * (n + 1)).await?;
        if n >= warm_up {
            times.push(start.elapsed());
        }
        // Idle means that everyone has gone back to waiting.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    times.sort_unstable();
    let at = |share: f64| {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a length"
        )]
        let index = (share * (times.len() - 1) as f64) as usize;
        times[index].as_secs_f64() * 1000.0
    };
    Ok(Latency {
        samples,
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        max: at(1.0),
    })
}

async fn received(client: &Client, count: usize) -> anyhow::Result<()> {
    tokio::time::timeout(Duration::from_secs(10), client.received(count))
        .await
        .context("no result came within ten seconds")
}

async fn commands(seconds: u64) -> anyhow::Result<Commands> {
    let settings = Settings::default();
    let system = System::start(settings.clone()).await;
    let mut client = system.client(0).await;
    // A queue that never had a job would be idler than one that is used.
    ensure!(client.send("hello").await, "the connection is over");
    received(&client, 2).await?;
    let before = calls(&system).await?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = calls(&system).await?;
    let rate = |a: u64, b: u64| (b - a) as f64 / seconds as f64;
    Ok(Commands {
        servers: settings.servers,
        workers: settings.workers,
        managers: settings.managers,
        seconds,
        sent: rate(before.0, after.0),
        with_scripts: rate(before.1, after.1),
    })
}

/// How many commands were sent, and how many were executed, scripts' own included.
async fn calls(system: &System) -> anyhow::Result<(u64, u64)> {
    let stats: String = system.redis.command(&["INFO", "commandstats"]).await;
    let mut calls = (0, 0);
    for line in stats.lines() {
        let Some((name, rest)) = line
            .strip_prefix("cmdstat_")
            .and_then(|line| line.split_once(':'))
        else {
            continue;
        };
        let count: u64 = rest
            .strip_prefix("calls=")
            .and_then(|rest| rest.split(',').next())
            .and_then(|count| count.parse().ok())
            .with_context(|| format!("{line:?} has no count of calls"))?;
        calls.1 += count;
        // Everything else runs inside scripts. `HGETALL` is sent with six others in one round trip.
        calls.0 += match name {
            "evalsha" | "blpop" | "ping" | "smembers" | "sadd" | "subscribe" => count,
            "hgetall" => 7 * count,
            _ => 0,
        };
    }
    Ok(calls)
}
