//! A worker with handlers that misbehave, for the fault tests; also the smallest example of a worker of one's own.

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;
use protocol::Kind;
use serde::Deserialize;
use service::{Lifecycle, telemetry};
use worker::{App, JobContext, JobError, Registry, WorkerArgs, chat};

#[derive(Deserialize)]
struct Steps {
    steps: u32,
}

async fn panics(_: JobContext, text: String) -> Result<(), JobError> {
    panic!("{text}")
}

async fn counts(context: JobContext, Steps { steps }: Steps) -> Result<u32, JobError> {
    for step in 1..=steps {
        context.progress(&step).await?;
    }
    Ok(steps)
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = WorkerArgs::parse();
    telemetry::init(&args.telemetry, "worker")?;
    let lifecycle = Lifecycle::new(args.shutdown.grace())?;
    let handlers = chat(Registry::new(), Duration::from_millis(args.chat_work_ms))
        .register(Kind::new("panic")?, panics)
        .register(Kind::new("count")?, counts);
    App::build(args, handlers)
        .await?
        .spawn(&lifecycle.handle())?;
    Ok(lifecycle.run().await)
}
