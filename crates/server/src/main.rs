//! The `server` process.
//!
//! Everything it does is in the library; here it only begins and ends.

use std::process::ExitCode;

use clap::Parser as _;
use server::{App, ServerArgs};
use service::{Lifecycle, telemetry};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = ServerArgs::parse();
    args.validate()?;
    telemetry::init(&args.telemetry, "server")?;
    let lifecycle = Lifecycle::new(args.shutdown.grace())?;
    let app = App::build(args).await?;
    app.spawn(&lifecycle.handle());
    Ok(lifecycle.run().await)
}
