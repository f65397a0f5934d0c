//! Whether each run of a schedule happens once while managers are killed.
//!
//! Real managers get a file of schedules and are killed, stopped and started again at random; a worker writes down what it
//! runs. Afterwards every time that a schedule names is looked for among the jobs: it must be there once, and have run once.

mod judge;
mod roster;
mod strikes;

use std::{collections::HashMap, time::Duration};

use broker::{
    Schedules,
    testing::{PATIENCE, TestRedis, until},
};
use protocol::{JobId, JobRecord, JobState};
use serde::Serialize;
use tokio::time::Instant;

pub use judge::{Found, Verdict};

use crate::{
    Settings, System,
    faults::{
        dice::Dice,
        history::Mark,
        run_log::{self},
    },
};
use roster::Roster;
use strikes::Strikes;

/// What to do.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Trial {
    /// How many schedules.
    pub schedules: u32,
    /// Every how many seconds each runs; 60 is divisible by it.
    pub every_secs: u32,
    /// How many managers.
    pub managers: usize,
    /// For how long managers are struck.
    pub lasts: Duration,
    /// At most how long there is between two strikes.
    pub calm: Duration,
    /// Which strikes, and when.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What was done.
    pub trial: Trial,
    /// How often a manager was killed.
    pub kills: u32,
    /// How often one was stopped for longer than a lease, and went on.
    pub stops: u32,
    /// What is wrong with the runs, if anything.
    pub verdict: Verdict,
}

/// Runs the trial to its end.
pub async fn run(trial: Trial) -> anyhow::Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let roster = Roster::new(trial.schedules, trial.every_secs);
    let file = folder.path().join("schedules.json");
    std::fs::write(&file, roster.file())?;
    let log = folder.path().join("runs");
    let shown = |path: &std::path::Path| path.display().to_string();
    let settings = Settings {
        servers: 0,
        managers: trial.managers,
        manager: vec!["--schedules".to_owned(), shown(&file)],
        worker: vec!["--run-log".to_owned(), shown(&log)],
        worker_binary: "test-worker",
        ..Settings::default()
    };
    let mut system = System::launch(TestRedis::durable().await, settings);
    system.ready().await;
    let schedules = Schedules::new(system.connect());
    until("all schedules are there", async || {
        let there = schedules.list(&System::chat()).await.ok()?;
        (there.len() == trial.schedules as usize).then_some(())
    })
    .await;

    // What is due from here on counts.
    let from = schedules.now().await? + 1;
    let mut strikes = Strikes::new(Dice::new(trial.seed), trial.calm);
    strikes.run(&mut system, Instant::now() + trial.lasts).await;
    let to = schedules.now().await?;
    let expected = roster.times(from, to);
    let jobs = settled(&system, expected.len(), to).await;
    for manager in &mut system.managers {
        manager.terminate().await;
    }
    let mut begun: HashMap<JobId, u32> = HashMap::new();
    for run in run_log::read(&log)? {
        if run.mark == Mark::Begin {
            *begun.entry(run.job).or_default() += 1;
        }
    }
    let found = jobs.iter().map(|job| Found::of(job, &begun)).collect();
    Ok(Outcome {
        trial,
        kills: strikes.kills,
        stops: strikes.stops,
        verdict: Verdict::of(&expected, found, (from, to)),
    })
}

/// All jobs, once those that are due until a time have run, or patience is over.
async fn settled(system: &System, expected: usize, to: u64) -> Vec<JobRecord> {
    let (inspector, queue) = (system.inspector(), System::chat());
    let end = Instant::now() + PATIENCE;
    loop {
        let jobs = inspector.list(&queue, JobState::Completed, 1_000_000).await;
        let jobs = jobs.unwrap_or_default();
        let due = jobs
            .iter()
            .filter(|job| judge::time_of(job).is_some_and(|at| at <= to))
            .count();
        let schedules = Schedules::new(system.connect());
        let behind = schedules.list(&queue).await.map_or(1, |all| {
            all.iter()
                .filter(|record| record.next_at.is_some_and(|next| next <= to))
                .count()
        });
        if (due >= expected && behind == 0) || Instant::now() > end {
            return jobs;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
