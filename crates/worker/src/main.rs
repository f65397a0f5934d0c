//! The `worker` binary: the built-in handlers.

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;
use service::{Lifecycle, telemetry};
use worker::{App, Registry, WorkerArgs, chat, demo};

/// A job is many small allocations, which cost less with this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<ExitCode> {
    let args = WorkerArgs::parse();
    args.block_on(run(args.clone()))?
}

async fn run(args: WorkerArgs) -> anyhow::Result<ExitCode> {
    telemetry::init(&args.telemetry, "worker")?;
    let lifecycle = Lifecycle::new(args.shutdown.grace())?;
    let work = Duration::from_millis(args.chat_work_ms);
    let handlers = demo(chat(Registry::new(), work));
    App::build(args, handlers)
        .await?
        .spawn(&lifecycle.handle())?;
    Ok(lifecycle.run().await)
}
