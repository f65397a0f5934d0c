//! `queue pause` and `queue resume`: whether a queue's jobs run. Changes nothing else of it.

use broker::QueueArgs;
use clap::Args;
use protocol::QueueName;
use serde_json::json;

use crate::{console::Console, fault::Fault};

/// Options of `queue pause`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
A paused queue takes jobs and runs none; what runs already goes on.

Examples:
  queue pause chat
  queue pause reports --create     # before its first job")]
pub struct PauseArgs {
    /// The queue
    pub queue: QueueName,
    /// Also if the queue never had a job
    #[arg(long)]
    pub create: bool,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// Options of `queue resume`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  queue resume chat")]
pub struct ResumeArgs {
    /// The queue
    pub queue: QueueName,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn pause(console: &Console, args: &PauseArgs) -> Result<(), Fault> {
    console.expect(&args.queue, args.create).await?;
    switch(console, &args.queue, true, args.json).await
}

pub(crate) async fn resume(console: &Console, args: &ResumeArgs) -> Result<(), Fault> {
    console.expect(&args.queue, false).await?;
    switch(console, &args.queue, false, args.json).await
}

async fn switch(
    console: &Console,
    queue: &QueueName,
    paused: bool,
    json: bool,
) -> Result<(), Fault> {
    let before = console
        .inspector
        .settings(queue)
        .await
        .map_err(|error| console.fault(&error))?;
    let changed = before.paused != paused;
    if changed {
        console
            .control(QueueArgs::default())
            .pause(queue, paused)
            .await
            .map_err(|error| console.fault(&error))?;
    }
    if json {
        return console
            .out
            .json(&json!({ "queue": queue, "paused": paused, "changed": changed }));
    }
    console.out.print(match (paused, changed) {
        (true, true) => "Paused: jobs are taken, and none is run.\n",
        (true, false) => "It was paused already.\n",
        (false, true) => "Resumed: jobs run again.\n",
        (false, false) => "It was not paused.\n",
    })
}
