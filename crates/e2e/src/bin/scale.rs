//! Measures how the queue bears size, and judges it: `cargo xtask scale` builds it first.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use e2e::{
    load::most_connections,
    scale::{apart, backlog, baseline, due, fairness, lists, shards},
};
use serde_json::{Map, Value, json};

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Question {
    /// A quiet tenant beside one with 100,000 waiting jobs and all places but one: its p99 wait is at most twice that
    /// alone
    Fairness,
    /// 100,000 delayed jobs due in one instant: no second passes in which none ends
    Due,
    /// Jobs out of a line of 1,000,000: Redis spends at most 1.3 times as much on each as out of a short one
    Backlog,
    /// 1,000,000 jobs through the system: after retention Redis is back where it was
    Baseline,
    /// 1,000,000 jobs in each state: every list of the admin API answers in under 100 ms, and no command of it holds Redis
    /// for more than 5 ms
    Lists,
    /// 10,000 idle clients on each of two servers, or as many as may be connected: messages to a room on one of them are
    /// none of the other's business
    Apart,
    /// 300,000 jobs through three queues on one, two and three shards of a Cluster, then through one queue that has a
    /// partition on each: of three shards the busiest spends at most two fifths of what one does
    Shards,
}

/// Measures how the queue bears size. Exits with 1 if an answer is not as it should be.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Ask only this; may be given several times
    #[arg(long, value_name = "QUESTION")]
    only: Vec<Question>,
    /// A share of the jobs, for a first impression: 0.1 is a tenth
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Write the figures there, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let mut report = Map::new();
    let mut all_well = true;
    for question in Question::value_variants() {
        if !args.only.is_empty() && !args.only.contains(question) {
            continue;
        }
        let (name, figures, wrong) = ask(*question, args.share).await?;
        say(name, &figures, wrong.as_deref());
        all_well &= wrong.is_none();
        report.insert(
            name.to_owned(),
            json!({ "figures": figures, "wrong": wrong }),
        );
    }
    if let Some(path) = args.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(ExitCode::from(u8::from(!all_well)))
}

type Answer = (&'static str, Value, Option<String>);

async fn ask(question: Question, share: f64) -> anyhow::Result<Answer> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of jobs"
    )]
    let part = |jobs: u32| ((f64::from(jobs) * share) as usize).max(2_000);
    Ok(match question {
        Question::Fairness => {
            let found = fairness(part(100_000), 500).await;
            let wrong = if found.left == 0 {
                Some("nothing was left of the other tenant's jobs".to_owned())
            } else {
                (found.ratio_p99 > 2.0)
                    .then(|| format!("the p99 wait is {:.2} times longer", found.ratio_p99))
            };
            ("fairness", serde_json::to_value(found)?, wrong)
        }
        Question::Due => {
            let found = due(part(100_000)).await;
            let wrong = (found.longest_gap_ms > 1_000)
                .then(|| format!("nothing ended for {} ms", found.longest_gap_ms));
            ("due", serde_json::to_value(found)?, wrong)
        }
        Question::Backlog => {
            let found = backlog(part(1_000_000), 20_000).await;
            let wrong = (found.ratio > 1.3)
                .then(|| format!("a job costs Redis {:.2} times as much", found.ratio));
            ("backlog", serde_json::to_value(found)?, wrong)
        }
        Question::Baseline => {
            let found = baseline(part(1_000_000)).await;
            // Idle processes' own keys come and go: a few are allowed, and what a counter takes.
            let grown = found.after_bytes - found.before_bytes;
            let wrong =
                (grown > 256.0 * 1024.0 || found.after_keys > found.before_keys + 4).then(|| {
                    format!(
                        "{grown} bytes and {} keys are left",
                        found.after_keys.saturating_sub(found.before_keys)
                    )
                });
            ("baseline", serde_json::to_value(found)?, wrong)
        }
        Question::Lists => {
            let found = lists(part(1_000_000)).await;
            let slow = found.answers.iter().find(|(_, times)| times.p50 > 100.0);
            let wrong = match slow {
                Some((name, times)) => Some(format!("{name} took {:.0} ms", times.p50)),
                None if found.longest_command.0 > 5.0 => Some(format!(
                    "Redis was held for {:.1} ms",
                    found.longest_command.0
                )),
                None => None,
            };
            ("lists", serde_json::to_value(found)?, wrong)
        }
        Question::Apart => {
            // All connections are this program's.
            let most = usize::try_from(most_connections()? / 2)?;
            let found = apart(part(10_000).min(most), 20).await?;
            let wrong = (!found.there.is_none())
                .then(|| format!("the other server was busy: {:?}", found.there));
            ("apart", serde_json::to_value(found)?, wrong)
        }
        Question::Shards => {
            let found = shards(part(300_000)).await?;
            let three = found.iter().filter(|found| found.shards == 3);
            let times = three.map(|three| three.times).fold(f64::INFINITY, f64::min);
            let wrong = (times < 2.5)
                .then(|| format!("three shards take {times:.2} times as many jobs as one"));
            ("shards", serde_json::to_value(found)?, wrong)
        }
    })
}

#[allow(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
fn say(name: &str, figures: &Value, wrong: Option<&str>) {
    let verdict = wrong.map_or_else(
        || "as it should be".to_owned(),
        |wrong| format!("WRONG: {wrong}"),
    );
    println!("{name}: {verdict}\n{figures:#}");
}
