//! A worker whose handler does nothing: what the queue alone costs.

use std::process::ExitCode;

use clap::Parser as _;
use e2e::load::NO_OP_KIND;
use protocol::Kind;
use service::{Lifecycle, telemetry};
use worker::{App, JobContext, JobError, Registry, WorkerArgs};

/// A job is many small allocations, which cost less with this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

async fn nothing(_: JobContext, _: serde_json::Value) -> Result<(), JobError> {
    Ok(())
}

fn main() -> anyhow::Result<ExitCode> {
    let args = WorkerArgs::parse();
    args.block_on(run(args.clone()))?
}

async fn run(args: WorkerArgs) -> anyhow::Result<ExitCode> {
    telemetry::init(&args.telemetry, "worker")?;
    let lifecycle = Lifecycle::new(args.shutdown.grace())?;
    let handlers = Registry::new().register(Kind::new(NO_OP_KIND)?, nothing);
    App::build(args, handlers)
        .await?
        .spawn(&lifecycle.handle())?;
    Ok(lifecycle.run().await)
}
