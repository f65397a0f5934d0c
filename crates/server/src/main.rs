//! The `server` process.
//!
//! Everything it does is in the library; here it only begins and ends.

use std::process::ExitCode;

use clap::Parser as _;
use server::{App, ServerArgs};
use service::{Lifecycle, telemetry};

fn main() -> anyhow::Result<ExitCode> {
    let args = ServerArgs::parse();
    args.validate()?;
    service::block_on(args.threads, run(args))?
}

async fn run(args: ServerArgs) -> anyhow::Result<ExitCode> {
    telemetry::init(&args.telemetry, "server")?;
    let lifecycle = Lifecycle::new(args.shutdown.grace())?;
    let app = App::build(args).await?;
    app.spawn(&lifecycle.handle());
    Ok(lifecycle.run().await)
}
