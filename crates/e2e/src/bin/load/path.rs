//! `load path`.

use std::time::Duration;

use clap::Args;
use e2e::load::{Length, Order, Pace, Path, PathFigures};

use crate::target::TargetArgs;

/// Messages through the whole path: text, job, result.
#[derive(Args)]
pub(crate) struct PathArgs {
    #[command(flatten)]
    target: TargetArgs,
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
        let target = self.target.target(|_| {}).await;
        let seconds = Duration::from_secs_f64(self.seconds);
        let load = Path {
            port: target.port,
            path: self.path.clone(),
            senders: self.senders,
            receivers: self.receivers,
            bytes: self.bytes,
            pace: Pace::of(self.window, self.rate, 1000),
            warm_up: Duration::from_secs_f64(self.warm_up),
            length: self
                .messages
                .map_or(Length::Time(seconds), Length::Messages),
            order: self.order,
        };
        let figures = load.run(&target.watched)?;
        say(&figures);
        Ok(figures)
    }
}

#[allow(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn say(figures: &PathFigures) {
    println!(
        "{:.0} messages/s: {} in {:.2} s; all came exactly once, {} results before an earlier one's",
        figures.per_second, figures.messages, figures.seconds, figures.early_results
    );
    println!("message to result:  {}", figures.result_ms);
    println!("message to message: {}", figures.message_ms);
    for usage in &figures.usage {
        println!("{}", usage.line(figures.messages as f64, "message"));
    }
}
