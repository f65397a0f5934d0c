//! What it costs to look at a queue with very many jobs in each state: those who look, and those who work meanwhile.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use broker::{
    Control, QueueArgs,
    testing::{Act, Puppet, What},
};
use protocol::{Failure, FailureCode, Job, JobOptions, JobState};
use serde::Serialize;
use serde_json::Value;

use super::{Spread, load::Load};

/// How long the attempts that go on may go on.
const HOURS: Duration = Duration::from_secs(8 * 3600);
/// How many jobs a hand takes at a time.
const AT_ONCE: usize = 500;
/// How often each question is asked.
const ASKED: usize = 25;

/// What was found.
#[derive(Debug, Serialize)]
pub struct Lists {
    /// How many jobs there are in each state.
    pub jobs: usize,
    /// How long answers of the admin API took, in milliseconds, by what was asked.
    pub answers: BTreeMap<String, Spread>,
    /// How long a claim took from beginning to end while nobody asked, in milliseconds.
    pub claim_quiet: Spread,
    /// The same while somebody asked all the time.
    pub claim_beside: Spread,
    /// The longest that Redis was held by one command meanwhile, in milliseconds, and by which.
    pub longest_command: (f64, String),
}

/// Fills a queue with `jobs` in each state, and asks for everything that an operator may ask for.
pub async fn lists(jobs: usize) -> Lists {
    let keep = QueueArgs {
        keep_jobs: 1_000_000_000,
        keep_bytes: 1 << 50,
        max_waiting: 1_000_000_000,
        max_waiting_bytes: 1 << 50,
        ..QueueArgs::default()
    };
    let load = Load::start(0, &[], keep.clone()).await;
    fill(&load, &keep, jobs).await;
    let manager = &load.system.managers[0];
    let claim_quiet = claims(&load, &keep, async || {}).await;
    for command in [
        &[
            "CONFIG",
            "SET",
            "slowlog-log-slower-than",
            "500",
            "slowlog-max-len",
            "1000",
        ][..],
        &["SLOWLOG", "RESET"],
    ] {
        load.system.redis.command::<String>(command).await;
    }
    let mut answers = BTreeMap::<String, Vec<Duration>>::new();
    let paths = paths(&load).await;
    let claim_beside = claims(&load, &keep, async || {
        for _ in 0..ASKED {
            for (name, path) in &paths {
                let began = Instant::now();
                let (status, body) = manager.get(path).await.expect("the manager answers");
                assert_eq!(status, 200, "{path}: {body}");
                answers
                    .entry(name.clone())
                    .or_default()
                    .push(began.elapsed());
            }
        }
    })
    .await;
    let answers = answers.into_iter();
    Lists {
        jobs,
        answers: answers
            .map(|(name, times)| (name, Spread::of(times)))
            .collect(),
        claim_quiet,
        claim_beside,
        longest_command: longest(&load).await,
    }
}

/// Everything that is asked for, by name: also pages that are deep in a list, and filters that nothing fits.
async fn paths(load: &Load) -> Vec<(String, String)> {
    let manager = &load.system.managers[0];
    let queue = "/api/v1/queues/chat";
    let mut paths: Vec<_> = ["errors", "tenants", "history?since_ms=86400000"]
        .map(|name| (name.to_owned(), format!("{queue}/{name}")))
        .into();
    paths.extend(
        ["queues", "workers", "redis"].map(|name| (name.to_owned(), format!("/api/v1/{name}"))),
    );
    for state in JobState::ALL {
        let list = format!("{queue}/jobs?state={state}");
        let mut deep = list.clone();
        for _ in 0..20 {
            let (_, body) = manager
                .get(&format!("{deep}&limit=500"))
                .await
                .expect("the manager answers");
            let page: Value = serde_json::from_str(&body).expect("a page is JSON");
            let Some(next) = page["next"].as_str() else {
                break;
            };
            deep = format!("{list}&cursor={next}");
        }
        paths.push((
            format!("{state} jobs, text that is nowhere"),
            format!("{list}&text=nowhere"),
        ));
        paths.push((format!("{state} jobs, 10,000 on"), deep));
        paths.push((format!("{state} jobs"), list));
    }
    paths
}

async fn fill(load: &Load, keep: &QueueArgs, jobs: usize) {
    let redis = load.system.connect();
    let queue = Load::queue();
    let mut hand = Puppet::new(redis.clone(), queue.clone(), keep.clone(), "hand", &[]);
    let failure = Failure::new(FailureCode::Panic, "no route to host 7").at("at mail.rs:12:9");
    for state in [JobState::Failed, JobState::Completed, JobState::Active] {
        load.fill(jobs, &JobOptions::default()).await;
        let mut acts = Vec::new();
        let mut left = jobs;
        while left > 0 || !acts.is_empty() {
            let answer = hand
                .round(&acts, left.min(AT_ONCE), HOURS)
                .await
                .expect("Redis answers");
            left -= answer.claims.len();
            acts.clear();
            for claim in answer.claims {
                let what = match state {
                    JobState::Failed => What::Fail(failure.clone()),
                    JobState::Completed => {
                        What::Complete(claim.job.map(|job: Job| job.payload).expect("a job"))
                    }
                    _ => continue,
                };
                acts.push(Act {
                    id: claim.id,
                    attempt: claim.attempt,
                    what,
                });
            }
        }
    }
    load.fill(jobs, &JobOptions::default()).await;
    let control = Control::new(redis, keep.clone());
    loop {
        let ids = load
            .inspector
            .ids(&queue, JobState::Waiting, 2_000)
            .await
            .expect("Redis answers");
        if ids.is_empty() {
            break;
        }
        control.withdraw(&queue, &ids).await.expect("Redis answers");
    }
    let later = JobOptions {
        delay_ms: 24 * 3_600_000,
        ..JobOptions::default()
    };
    load.fill(jobs, &later).await;
    load.fill(jobs, &JobOptions::default()).await;
    for state in JobState::ALL {
        assert_eq!(load.count(state).await, jobs as u64, "{state}");
    }
}

/// How long claims take that come one after the other, until what goes on beside them is over; for two seconds at least.
async fn claims(load: &Load, keep: &QueueArgs, beside: impl AsyncFnOnce()) -> Spread {
    let over = Arc::new(AtomicBool::new(false));
    let (seen, keep, redis) = (Arc::clone(&over), keep.clone(), load.system.connect());
    let claims = async move {
        let mut hand = Puppet::new(redis, Load::queue(), keep, "other", &[]);
        let (began, mut times) = (Instant::now(), Vec::new());
        while !seen.load(Ordering::Relaxed) || began.elapsed() < Duration::from_secs(2) {
            let at = Instant::now();
            let answer = hand.round(&[], 1, HOURS).await.expect("Redis answers");
            times.push(at.elapsed());
            assert_eq!(answer.claims.len(), 1, "there is a job for each claim");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times
    };
    let beside = async {
        beside().await;
        over.store(true, Ordering::Relaxed);
    };
    let (times, ()) = tokio::join!(claims, beside);
    Spread::of(times)
}

async fn longest(load: &Load) -> (f64, String) {
    type Entry = (u64, u64, u64, Vec<String>, String, String);
    let entries: Vec<Entry> = load.system.redis.command(&["SLOWLOG", "GET", "-1"]).await;
    let longest = entries.into_iter().max_by_key(|entry| entry.2);
    longest.map_or(
        (0.5, "none took that long".to_owned()),
        |(_, _, micros, words, ..)| {
            let command: Vec<_> = words
                .iter()
                .take(3)
                .map(|word| word.chars().take(40).collect::<String>())
                .collect();
            (micros as f64 / 1000.0, command.join(" "))
        },
    )
}
