//! Puts load on a system and says what it did: how much, how fast, at what cost.

mod fan_out;
mod idle;
mod path;
mod queue;
mod target;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde::Serialize;

/// Puts load on a system of its own, or on one that runs, and checks that every message came exactly once and in order.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Command {
    #[command(subcommand)]
    what: What,
    /// Write the figures there too, as JSON
    #[arg(long, value_name = "FILE", global = true)]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    Path(path::PathArgs),
    Queue(queue::QueueArgs),
    Fanout(fan_out::FanOutArgs),
    Idle(idle::IdleArgs),
}

// What it starts ends with the thread that started it: the main one.
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let command = Command::parse();
    let json = command.json.as_deref();
    match command.what {
        What::Path(args) => write(json, &args.run().await?),
        What::Queue(args) => write(json, &args.run().await?),
        What::Fanout(args) => write(json, &args.run().await?),
        What::Idle(args) => write(json, &args.run().await?),
    }
}

fn write(file: Option<&Path>, figures: &impl Serialize) -> anyhow::Result<()> {
    let Some(file) = file else {
        return Ok(());
    };
    let text = serde_json::to_string_pretty(figures)?;
    std::fs::write(file, text).with_context(|| format!("can't write {}", file.display()))
}
