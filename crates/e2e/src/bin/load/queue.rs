//! `load queue`.

use clap::Args;
use e2e::load::{QueueFigures, QueueLoad, StageArgs};

/// The queue alone, on a private system: jobs handed in in bulk, then run by a worker that does nothing.
#[derive(Args)]
pub(crate) struct QueueArgs {
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

impl QueueArgs {
    pub(crate) async fn run(self) -> anyhow::Result<QueueFigures> {
        let load = QueueLoad {
            jobs: self.jobs,
            run: self.run.unwrap_or(self.jobs).min(self.jobs),
            bytes: self.bytes,
            tenants: self.tenants,
            own_topics: self.own_topics,
            keep: self.keep,
            stage: self.stage,
        };
        let figures = load.measure().await?;
        say(&figures);
        Ok(figures)
    }
}

#[allow(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn say(figures: &QueueFigures) {
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
