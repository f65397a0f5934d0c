//! `load idle`.

use anyhow::Context as _;
use clap::Args;
use e2e::load::{Idle, IdleFigures, Session};

use crate::{fan_out::DialectName, target::TargetArgs};

/// Connections that do nothing.
#[derive(Args)]
pub(crate) struct IdleArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// How they speak with the server
    #[arg(long, value_enum, default_value_t = DialectName::Plain)]
    dialect: DialectName,
    /// How many
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
}

impl IdleArgs {
    pub(crate) async fn run(&self) -> anyhow::Result<IdleFigures> {
        let adapt = |args: &mut _| self.dialect.adapt(self.connections, args);
        // Before a server is started: it takes the limit over.
        e2e::load::most_connections()?;
        let target = self.target.target(adapt).await;
        let server = target.watched.iter().find(|one| one.name == "server");
        let server = server.context("the server's process is not known: --watch server=PID")?;
        let load = Idle {
            port: target.port,
            connections: self.connections,
        };
        let figures = match self.dialect {
            // Needs no system of its own: nobody publishes.
            DialectName::Session => load.run(&Session, server)?,
            other => {
                let (dialect, _) = other.meet(target.stage.as_ref()).await?;
                load.run(&*dialect, server)?
            }
        };
        say(&figures);
        Ok(figures)
    }
}

#[allow(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn say(figures: &IdleFigures) {
    println!(
        "{:.0} B/connection: {} connections, {:.0} connects/s, RSS from {} to {} bytes",
        figures.rss_bytes_per_connection,
        figures.connections,
        figures.connects_per_second,
        figures.before.rss_bytes,
        figures.after.rss_bytes
    );
}
