//! `load fanout`.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use e2e::load::{
    Dialect, FanOut, FanOutFigures, Length, Pace, PlainRoom, Publisher, Session, Stage, StageArgs,
};

use crate::target::TargetArgs;

/// How subscribers speak with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DialectName {
    /// A plain room; one of the subscribers says what all get
    Plain,
    /// A session of the Centrifugo protocol, subscribed to a room; this program publishes
    Session,
    /// A stream of server-sent events over HTTP; all follow one job, and this program is its worker
    Stream,
}

impl DialectName {
    /// How to speak with a server, and who publishes.
    pub(crate) async fn meet(
        self,
        stage: Option<&Stage>,
    ) -> anyhow::Result<(Box<dyn Dialect>, Publisher)> {
        if self == Self::Plain {
            return Ok((Box::new(PlainRoom), Publisher::Member));
        }
        let stage = stage.context("only a private system serves these: --start")?;
        if self == Self::Session {
            return Ok((Box::new(Session), stage.publisher()));
        }
        let (stream, publisher) = stage.spokesman().await?;
        Ok((Box::new(stream), publisher))
    }

    /// What a private server needs so that it serves a crowd.
    pub(crate) fn adapt(self, connections: usize, args: &mut StageArgs) {
        // Nobody processes what is only to be delivered.
        args.workers = 0;
        let most = format!("--max-connections={}", connections + 100);
        args.server_arg.push(most);
        match self {
            Self::Plain => {}
            Self::Session => args.server_arg.push("--insecure".to_owned()),
            Self::Stream => allow_streams(connections, args),
        }
    }
}

/// What a private server needs so that it serves so many clients of its HTTP API, all from one address.
pub(crate) fn allow_streams(clients: usize, args: &mut StageArgs) {
    args.server_arg.extend([
        format!("--max-streams={}", clients + 100),
        "--max-commands-per-second=1000000".to_owned(),
        "--max-submits-per-second=1000000".to_owned(),
    ]);
}

/// One message to many.
#[derive(Args)]
pub(crate) struct FanOutArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// How the subscribers speak with the server
    #[arg(long, value_enum, default_value_t = DialectName::Plain)]
    dialect: DialectName,
    /// How many get every message
    #[arg(long, default_value_t = 1000)]
    subscribers: usize,
    /// Closed loop: how many messages are on their way, 16 if there is no rate; one is until the last subscriber has it
    #[arg(long)]
    window: Option<usize>,
    /// Open loop instead: how many messages a second, whatever comes back; with a window none while so many are on their
    /// way
    #[arg(long)]
    rate: Option<f64>,
    /// How long a message is, in bytes
    #[arg(long, default_value_t = 128)]
    bytes: usize,
    /// How long to go on before anything is counted, in seconds
    #[arg(long, default_value_t = 2.0)]
    warm_up: f64,
    /// How long to count, in seconds
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

impl FanOutArgs {
    pub(crate) async fn run(&self) -> anyhow::Result<FanOutFigures> {
        let adapt = |args: &mut _| self.dialect.adapt(self.subscribers, args);
        ensure!(self.subscribers > 0, "there must be a subscriber");
        e2e::load::most_connections()?;
        let target = self.target.target(adapt).await;
        let (dialect, mut publisher) = self.dialect.meet(target.stage.as_ref()).await?;
        let load = FanOut {
            port: target.port,
            subscribers: self.subscribers,
            bytes: self.bytes,
            pace: Pace::of(self.window, self.rate, 16),
            warm_up: Duration::from_secs_f64(self.warm_up),
            length: Length::Time(Duration::from_secs_f64(self.seconds)),
        };
        let figures = load.run(&*dialect, &mut publisher, &target.watched)?;
        say(&figures);
        Ok(figures)
    }
}

#[allow(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn say(figures: &FanOutFigures) {
    println!(
        "{:.0} deliveries/s: {} messages to {} subscribers, {} deliveries in {:.2} s; each in order",
        figures.deliveries_per_second,
        figures.messages,
        figures.subscribers,
        figures.deliveries,
        figures.seconds
    );
    println!("to each:     {}", figures.delivery_ms);
    println!("to the last: {}", figures.last_ms);
    for usage in &figures.usage {
        let each = figures.cpu_per_million(&usage.name).unwrap_or_default();
        println!("{usage}, {each:.3} CPU s/1M deliveries");
    }
}
