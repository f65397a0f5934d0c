//! The `worker` binary: the built-in handlers.

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;
use service::{Lifecycle, telemetry};
use worker::{App, Registry, WorkerArgs, chat};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = WorkerArgs::parse();
    telemetry::init(&args.telemetry, "worker")?;
    let lifecycle = Lifecycle::new(args.shutdown.grace())?;
    let handlers = chat(Registry::new(), Duration::from_millis(args.chat_work_ms));
    App::build(args, handlers)
        .await?
        .spawn(&lifecycle.handle())?;
    Ok(lifecycle.run().await)
}
