//! Measures the running system out of its release binaries, and what people use today beside it.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use e2e::bench::{self, Plan};

/// Measures this project and its peers in turn, each time with a Redis of its own (append-only file, synced each
/// second). `cargo xtask bench` builds everything first.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Args {
    /// A run of less than five minutes, for a first impression: fewer and shorter turns, no curves unless they are
    /// asked for by name
    #[arg(long)]
    quick: bool,
    /// Only this row or curve, or all whose names begin with this word; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How often each side is asked; 5, or 2 in a quick run
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=100))]
    turns: Option<u16>,
    /// Measure this project only
    #[arg(long)]
    without_peers: bool,
    /// Build Sockudo too, where it is missing: ten minutes to half an hour, and wants protoc with its well-known types
    #[arg(long)]
    sockudo: bool,
    /// Write the figures there, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the page `benchmarks.md` and its pictures into this folder
    #[arg(long, value_name = "FOLDER")]
    page: Option<PathBuf>,
    /// Say what `--only` takes, and do nothing
    #[arg(long)]
    list: bool,
}

// What it starts ends with the thread that started it: the main one.
#[tokio::main]
#[allow(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.list {
        println!("{}", bench::names().join("\n"));
        return Ok(());
    }
    let plan = Plan {
        quick: args.quick,
        turns: args.turns.unwrap_or(if args.quick { 2 } else { 5 }).into(),
        only: args.only,
        peers: !args.without_peers,
        sockudo: args.sockudo,
    };
    let report = bench::run(&plan, &|line| eprintln!("{line}")).await?;
    println!("{}", bench::table(&report));
    if let Some(folder) = args.page {
        bench::page::write(&report, &folder)?;
    }
    if let Some(path) = args.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}
