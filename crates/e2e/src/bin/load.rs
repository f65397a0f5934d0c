//! Puts load on a system and says what it did: how much, how fast, at what cost.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use e2e::load::{
    Length, Order, Pace, Path, PathFigures, QueueFigures, QueueLoad, Stage, StageArgs, Watched,
};
use serde::Serialize;

/// Puts load on a system of its own, or on one that runs, and checks that every message came exactly once and in order.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Command {
    #[command(subcommand)]
    what: What,
    /// Write the figures there too, as JSON
    #[arg(long, value_name = "FILE", global = true)]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    Path(PathArgs),
    Queue(QueueArgs),
}

/// Which processes to watch, and whether to start them.
#[derive(Args)]
struct Target {
    /// Start a private system: a Redis, servers, workers and a queue manager
    #[arg(long, conflicts_with_all = ["port", "watch"])]
    start: bool,
    /// The port of a server that runs on this machine
    #[arg(long, required_unless_present = "start", default_value_t = 0)]
    port: u16,
    /// A process whose cost is shown; one name may stand for several
    #[arg(long, value_name = "NAME=PID", value_parser = watched)]
    watch: Vec<(String, u32)>,
    #[command(flatten, next_help_heading = "The private system")]
    stage: StageArgs,
}

/// Messages through the whole path: text, job, result.
#[derive(Args)]
struct PathArgs {
    #[command(flatten)]
    target: Target,
    /// The path of the upgrade
    #[arg(long, default_value = "/")]
    path: String,
    /// How many connections send
    #[arg(long, default_value_t = 1)]
    senders: usize,
    /// How many connections there are, senders and all; each gets every message and every result
    #[arg(long, default_value_t = 1)]
    receivers: usize,
    /// Closed loop: how many messages each sender has on their way
    #[arg(long, default_value_t = 1000)]
    window: usize,
    /// Open loop instead: how many messages a second all senders send, whatever comes back. Times count from when a
    /// message was to be sent
    #[arg(long, conflicts_with = "window")]
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

/// The queue alone, on a private system: jobs handed in in bulk, then run by a worker that does nothing.
#[derive(Args)]
struct QueueArgs {
    /// How many jobs
    #[arg(long, default_value_t = 50_000)]
    jobs: u32,
    /// How many of them to run; all by default
    #[arg(long)]
    run: Option<u32>,
    /// How many bytes of JSON a payload has
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    /// How many tenants the jobs belong to
    #[arg(long, default_value_t = 1)]
    tenants: usize,
    /// Give each job a topic of its own and tell every change of its state there, as for jobs handed in over HTTP
    #[arg(long)]
    own_topics: bool,
    /// How many finished jobs are kept
    #[arg(long, default_value_t = 1_000)]
    keep: u64,
    #[command(flatten, next_help_heading = "The private system")]
    stage: StageArgs,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let command = Command::parse();
    let json = command.json.as_deref();
    match command.what {
        What::Path(args) => {
            let figures = path(&args).await?;
            say_path(&figures);
            write(json, &figures)
        }
        What::Queue(args) => {
            let figures = queue(args).await?;
            say_queue(&figures);
            write(json, &figures)
        }
    }
}

async fn queue(args: QueueArgs) -> anyhow::Result<QueueFigures> {
    let load = QueueLoad {
        jobs: args.jobs,
        run: args.run.unwrap_or(args.jobs),
        bytes: args.bytes,
        tenants: args.tenants,
        own_topics: args.own_topics,
        keep: args.keep,
        stage: args.stage,
    };
    load.measure().await
}

fn write(file: Option<&std::path::Path>, figures: &impl Serialize) -> anyhow::Result<()> {
    let Some(file) = file else {
        return Ok(());
    };
    let text = serde_json::to_string_pretty(figures)?;
    std::fs::write(file, text).with_context(|| format!("can't write {}", file.display()))
}

async fn path(args: &PathArgs) -> anyhow::Result<PathFigures> {
    let target = &args.target;
    let stage = if target.start {
        Some(Stage::start(&target.stage).await)
    } else {
        None
    };
    let (port, mut watched) = match &stage {
        Some(stage) => (stage.system.servers[0].port(), stage.watched().await),
        None => (target.port, target.watched()),
    };
    watched.push(Watched::generator());
    let load = Path {
        port,
        path: args.path.clone(),
        senders: args.senders,
        receivers: args.receivers,
        bytes: args.bytes,
        pace: args.rate.map_or(Pace::Window(args.window), Pace::Rate),
        warm_up: Duration::from_secs_f64(args.warm_up),
        length: args.messages.map_or(
            Length::Time(Duration::from_secs_f64(args.seconds)),
            Length::Messages,
        ),
        order: args.order,
    };
    load.run(&watched)
}

impl Target {
    fn watched(&self) -> Vec<Watched> {
        let mut all: Vec<Watched> = Vec::new();
        for (name, pid) in &self.watch {
            match all.iter_mut().find(|watched| watched.name == *name) {
                Some(watched) => watched.pids.push(*pid),
                None => all.push(Watched::new(name, *pid)),
            }
        }
        all
    }
}

fn watched(text: &str) -> Result<(String, u32), String> {
    let (name, pid) = text.split_once('=').ok_or("NAME=PID is wanted")?;
    let pid = pid.parse().map_err(|error| format!("{pid:?}: {error}"))?;
    Ok((name.to_owned(), pid))
}

#[allow(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn say_path(figures: &PathFigures) {
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

#[allow(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn say_queue(figures: &QueueFigures) {
    let parts = [("handed in", &figures.enqueue), ("run", &figures.run)];
    for (what, part) in parts {
        println!(
            "{what}: {:.0} jobs/s, {} in {:.2} s, {:.2} µs of Redis' main thread a job",
            part.per_second, part.jobs, part.seconds, part.redis_us_per_job
        );
        for usage in &part.usage {
            println!("{}", usage.line(f64::from(part.jobs), "job"));
        }
    }
    println!(
        "Redis: {:.2} µs a job from handing in to retention, {:.0} B for each that waits",
        figures.redis_us_per_job, figures.redis_bytes_per_waiting_job
    );
}
