//! How cost grows with work.

use std::time::Instant;

use super::{
    Plan,
    asked::Say,
    page::figure::figure,
    report::{Curve, Series},
};
use crate::load::{
    FanOut, Length, Order, Pace, Part, Path, PlainRoom, Publisher, QueueLoad, Stage, StageArgs,
    Usage, Watched,
};

/// What `--only` calls them.
pub(super) const NAMES: [&str; 5] = [
    "curve-connections",
    "curve-waiting",
    "curve-payload",
    "curve-tenants",
    "curve-workers",
];

/// How many jobs are run for a point.
const RUN: u32 = 10_000;

/// One point: the value of each series.
type Values = Vec<(&'static str, f64)>;

/// Draws those that the plan wants.
pub(super) async fn draw(plan: &Plan, say: Say<'_>) -> anyhow::Result<Vec<Curve>> {
    let mut curves = Vec::new();
    for name in NAMES {
        if plan.wants_curve(name) {
            curves.push(curve(name, plan, say).await?);
        }
    }
    Ok(curves)
}

async fn curve(name: &'static str, plan: &Plan, say: Say<'_>) -> anyhow::Result<Curve> {
    let (what, x, y, steps): (_, _, _, &[u32]) = match name {
        "curve-connections" => (
            "A plain room whose members all get messages of 128 bytes, 16 on their way.",
            "connections",
            "CPU s/1M deliveries",
            &[1, 10, 100, 1_000, 10_000],
        ),
        "curve-waiting" => (
            "10,000 jobs are taken out of a line that has so many more behind them.",
            "waiting jobs",
            "µs of Redis' main thread a job",
            &[1, 1_000, 10_000, 100_000, 1_000_000],
        ),
        "curve-payload" => (
            "Texts of so many bytes through the whole path, as many on their way as an outbox holds, 1,000 at most.",
            "bytes of text",
            "µs of CPU a message",
            &[100, 1_024, 4_096, 16_384, 65_536],
        ),
        "curve-tenants" => (
            "Jobs of so many tenants, handed in in turn and run in turn.",
            "tenants",
            "µs of Redis' main thread a job",
            &[1, 10, 100, 1_000],
        ),
        _ => (
            "Jobs that are run by so many workers of 100 at a time, all on this machine.",
            "workers",
            "µs of CPU a job",
            &[1, 2, 4, 8],
        ),
    };
    let mut series: Vec<Series> = Vec::new();
    for step in steps {
        let start = Instant::now();
        let values = point(name, *step, plan).await?;
        for (line, value) in &values {
            let at = (f64::from(*step), *value);
            match series.iter_mut().find(|series| series.name == *line) {
                Some(series) => series.points.push(at),
                None => series.push(Series {
                    name: (*line).to_owned(),
                    points: vec![at],
                }),
            }
        }
        let told: Vec<String> = values
            .iter()
            .map(|(line, value)| format!("{line} {}", figure(*value)))
            .collect();
        let seconds = start.elapsed().as_secs_f64();
        say(&format!(
            "{name} at {step}: {} ({seconds:.1} s)",
            told.join(", ")
        ));
    }
    Ok(Curve {
        name: name.to_owned(),
        what: what.to_owned(),
        x: x.to_owned(),
        y: y.to_owned(),
        series,
        note: None,
    })
}

async fn point(name: &str, step: u32, plan: &Plan) -> anyhow::Result<Values> {
    let jobs = plan.jobs().min(50_000);
    match name {
        "curve-connections" => connections(step as usize, plan).await,
        "curve-waiting" => {
            let figures = queue(step + RUN, RUN, 1, 1).await?;
            Ok(vec![
                ("handing in", figures.0.redis_us_per_job),
                ("running", figures.1.redis_us_per_job),
            ])
        }
        "curve-payload" => payload(step as usize, plan).await,
        "curve-tenants" => {
            let figures = queue(jobs, jobs, step as usize, 1).await?;
            Ok(vec![
                ("handing in", figures.0.redis_us_per_job),
                ("running", figures.1.redis_us_per_job),
            ])
        }
        _ => {
            let (_, run) = queue(jobs, jobs, 1, step as usize).await?;
            Ok(each(&run.usage, f64::from(run.jobs), &["worker", "redis"]))
        }
    }
}

async fn connections(subscribers: usize, plan: &Plan) -> anyhow::Result<Values> {
    let args = StageArgs {
        workers: 0,
        server_arg: vec![format!("--max-connections={}", subscribers + 200)],
        ..StageArgs::default()
    };
    let stage = Stage::start(&args).await;
    let load = FanOut {
        port: stage.system.servers[0].port(),
        subscribers,
        bytes: 128,
        pace: Pace::Window(16),
        warm_up: plan.warm_up(),
        length: Length::Time(plan.seconds()),
    };
    let watched = stage.watched().await;
    let figures = load.run(&PlainRoom, &mut Publisher::Member, &watched)?;
    let cpu = figures.cpu_per_million("server").unwrap_or_default();
    Ok(vec![("server", cpu)])
}

async fn payload(bytes: usize, plan: &Plan) -> anyhow::Result<Values> {
    let stage = Stage::start(&StageArgs::default()).await;
    let load = Path {
        port: stage.system.servers[0].port(),
        path: "/".to_owned(),
        senders: 1,
        receivers: 1,
        bytes,
        // Texts and results together fill a part of an outbox.
        pace: Pace::Window((256 * 1024 / bytes).clamp(4, 1_000)),
        warm_up: plan.warm_up(),
        length: Length::Time(plan.seconds()),
        order: Order::Messages,
    };
    let mut watched = stage.watched().await;
    watched.push(Watched::generator());
    let figures = load.run(&watched)?;
    let names = ["server", "worker", "redis"];
    Ok(each(&figures.usage, figures.messages as f64, &names))
}

/// Hands in and runs jobs.
async fn queue(
    jobs: u32,
    run: u32,
    tenants: usize,
    workers: usize,
) -> anyhow::Result<(Part, Part)> {
    let load = QueueLoad {
        jobs,
        run,
        bytes: 100,
        tenants,
        own_topics: false,
        keep: 1_000,
        stage: StageArgs {
            workers,
            ..StageArgs::default()
        },
    };
    let figures = load.measure().await?;
    Ok((figures.enqueue, figures.run))
}

/// The CPU of some processes for each of so many.
fn each(usage: &[Usage], count: f64, names: &[&'static str]) -> Values {
    let values = names.iter().filter_map(|name| {
        let usage = usage.iter().find(|usage| usage.name == *name)?;
        Some((*name, usage.cpu_seconds * 1e6 / count.max(1.0)))
    });
    values.collect()
}
