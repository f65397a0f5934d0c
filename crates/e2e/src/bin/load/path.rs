//! `load path`.

use std::time::Duration;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use e2e::load::{Jobs, Length, Order, Pace, Path, PathFigures};

use crate::{
    fan_out::allow_streams,
    target::{Target, TargetArgs},
};

/// How clients speak with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Client {
    /// The plain protocol, on a WebSocket each
    Plain,
    /// HTTP: each job is handed in with a POST and followed on a stream of server-sent events. The window is how many
    /// clients there are, 100 if it is not given; each has one job at a time
    Http,
}

/// Messages through the whole path: text, job, result.
#[derive(Args)]
pub(crate) struct PathArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// How clients speak with the server
    #[arg(long, value_enum, default_value_t = Client::Plain)]
    client: Client,
    /// The path of the upgrade
    #[arg(long, default_value = "/")]
    path: String,
    /// How many connections send
    #[arg(long, default_value_t = 1)]
    senders: usize,
    /// How many connections there are, senders and all; each gets every message and every result
    #[arg(long, default_value_t = 1)]
    receivers: usize,
    /// Closed loop: how many messages each sender has on their way; 1,000 if there is no rate
    #[arg(long)]
    window: Option<usize>,
    /// Open loop instead: how many messages a second all senders send, whatever comes back; with a window none while so
    /// many are on their way. Times count from when a message was to be sent
    #[arg(long)]
    rate: Option<f64>,
    /// How long a message is, in bytes
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    /// How long to go on before anything is counted, in seconds
    #[arg(long, default_value_t = 2.0)]
    warm_up: f64,
    /// How long to count, in seconds
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Count until so many messages are through, instead of a time
    #[arg(long, conflicts_with = "seconds")]
    messages: Option<u64>,
    /// What must come in order
    #[arg(long, value_enum, default_value_t = Order::Messages)]
    order: Order,
}

impl PathArgs {
    pub(crate) async fn run(&self) -> anyhow::Result<PathFigures> {
        let figures = match self.client {
            Client::Plain => {
                let target = self.target.target(|_| {}).await;
                self.plain(target.port).run(&target.watched)?
            }
            Client::Http => {
                let jobs = self.jobs()?;
                e2e::load::most_connections()?;
                let adapt = |args: &mut _| allow_streams(jobs.clients, args);
                let Target { port, watched, .. } = &self.target.target(adapt).await;
                Jobs {
                    port: *port,
                    ..jobs
                }
                .run(watched)?
            }
        };
        say(&figures, self.client);
        Ok(figures)
    }

    fn plain(&self, port: u16) -> Path {
        Path {
            port,
            path: self.path.clone(),
            senders: self.senders,
            receivers: self.receivers,
            bytes: self.bytes,
            pace: Pace::of(self.window, self.rate, 1000),
            warm_up: Duration::from_secs_f64(self.warm_up),
            length: self.length(),
            order: self.order,
        }
    }

    fn jobs(&self) -> anyhow::Result<Jobs> {
        ensure!(
            (self.senders, self.receivers) == (1, 1),
            "over HTTP each client gets what becomes of its own jobs: --window says how many clients there are"
        );
        Ok(Jobs {
            port: 0,
            clients: self.window.unwrap_or(100),
            bytes: self.bytes,
            per_second: self.rate,
            warm_up: Duration::from_secs_f64(self.warm_up),
            length: self.length(),
        })
    }

    fn length(&self) -> Length {
        let time = Length::Time(Duration::from_secs_f64(self.seconds));
        self.messages.map_or(time, Length::Messages)
    }
}

#[allow(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn say(figures: &PathFigures, client: Client) {
    println!(
        "{:.0} messages/s: {} in {:.2} s; all came exactly once, {} results before an earlier one's",
        figures.per_second, figures.messages, figures.seconds, figures.early_results
    );
    println!("message to result:  {}", figures.result_ms);
    match client {
        Client::Plain => println!("message to message: {}", figures.message_ms),
        Client::Http => println!("message to receipt: {}", figures.message_ms),
    }
    for usage in &figures.usage {
        println!("{}", usage.line(figures.messages as f64, "message"));
    }
}
