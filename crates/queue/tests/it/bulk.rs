//! Changing many jobs by a filter, and single ones by their ids.

use std::time::Duration;

use broker::testing::until;
use nix::sys::signal::Signal;
use protocol::{JobOptions, JobState};
use serde_json::Value;

use crate::{
    rig::{Process, Rig, Worker},
    terminal::Terminal,
};

const MANY: usize = 3_000;

fn run(rig: &Rig, line: &str) -> crate::rig::Answer {
    rig.run(&line.split(' ').collect::<Vec<_>>())
}

fn counts(summary: &Value) -> [u64; 4] {
    ["matched", "done", "requested", "skipped"].map(|name| summary[name].as_u64().unwrap())
}

#[tokio::test]
async fn thousands_are_cancelled_run_again_and_deleted() {
    let rig = Rig::start("bulk").await;
    let many = MANY as u64;
    rig.submit_many("chat", MANY, |n| JobOptions {
        tenant: format!("t{}", n % 3).parse().unwrap(),
        ..JobOptions::default()
    })
    .await;

    let dry = run(
        &rig,
        "cancel --queue chat --state waiting --tenant t1 --dry-run",
    );
    assert_eq!(
        dry.out,
        "1000 jobs would be cancelled; nothing was changed\n"
    );
    assert_eq!(rig.count("chat", JobState::Waiting).await, many);
    let one = run(
        &rig,
        "cancel --queue chat --state waiting --tenant t1 --json",
    )
    .json();
    assert_eq!(counts(&one), [1_000, 1_000, 0, 0]);
    assert_eq!(
        (&one["queue"], &one["verb"]),
        (&"chat".into(), &"cancel".into())
    );
    assert_eq!(
        (&one["finished"], &one["dry_run"]),
        (&true.into(), &false.into())
    );
    let rest = run(&rig, "drain chat --dry-run --json").json();
    assert_eq!(counts(&rest), [2_000, 0, 0, 0]);
    assert_eq!(run(&rig, "drain chat").out, "2000 jobs cancelled\n");
    assert_eq!(rig.count("chat", JobState::Cancelled).await, many);

    let dry = run(
        &rig,
        "retry --queue chat --state cancelled --all --dry-run --json",
    )
    .json();
    assert_eq!(counts(&dry), [many, 0, 0, 0]);
    assert_eq!(rig.count("chat", JobState::Cancelled).await, many);
    let some = run(
        &rig,
        "retry --queue chat --state cancelled --limit 700 --json",
    )
    .json();
    assert_eq!(counts(&some), [700, 700, 0, 0]);
    let rest = run(&rig, "retry --queue chat --state cancelled,failed --all");
    assert_eq!(
        (rest.code, rest.out.as_str()),
        (0, "2300 jobs in line again\n")
    );
    assert_eq!(rest.err, "", "a bar is for terminals");
    assert_eq!(rig.count("chat", JobState::Waiting).await, many);

    // All of them are too young, or of another kind.
    for filter in ["--older-than 1h", "--kind other", "--error timeout"] {
        let line = format!("delete --queue chat --state waiting {filter} --json");
        assert_eq!(counts(&run(&rig, &line).json()), [0; 4], "{filter}");
    }
    let gone = run(
        &rig,
        "delete --queue chat --state waiting --kind done --json",
    )
    .json();
    assert_eq!(counts(&gone), [many, many, 0, 0]);
    assert_eq!(rig.count("chat", JobState::Waiting).await, 0);
    assert_eq!(rig.count("chat", JobState::Cancelled).await, 0);
}

#[tokio::test]
async fn a_terminal_shows_a_bar_while_it_goes_on() {
    let rig = Rig::start("bar").await;
    rig.submit_many("chat", MANY, |_| JobOptions::default())
        .await;
    let words = ["drain", "chat"];
    let mut terminal = Terminal::start(rig.command(&words), 80, 24);
    assert!(terminal.left().await.success());
    let drawn = terminal.drawn();
    assert!(drawn.contains("drain [####-"), "{drawn:?}");
    assert!(drawn.contains("of 3000"), "{drawn:?}");
    // It is gone when all is done.
    assert_eq!(terminal.screen(), "3000 jobs cancelled");
}

#[tokio::test]
async fn a_filter_finds_what_failed_with_a_code() {
    let rig = Rig::start("codes").await;
    let worker = Worker::start(&rig, "chat", Duration::from_secs(10));
    let failed = rig
        .submit("chat", "fail", r#""boom""#, JobOptions::default())
        .await;
    rig.until_state("chat", failed, "failed").await;
    worker.kill();
    let none = run(&rig, "retry --queue chat --error timeout --json").json();
    assert_eq!(counts(&none), [0; 4]);
    let one = run(&rig, "retry --queue chat --error error --older-than 0ms");
    assert_eq!(one.out, "1 job in line again\n");
    let bad = run(&rig, "retry --queue chat --error bored");
    assert_eq!(bad.code, 2);
    assert!(bad.err.contains("`lease_lost`"), "{bad:?}");
}

#[tokio::test]
async fn an_active_job_that_is_cancelled_stops() {
    let rig = Rig::start("active").await;
    let worker = Worker::start(&rig, "chat", Duration::from_secs(10));
    let mut hanging = Vec::new();
    for _ in 0..8 {
        let id = rig.submit("chat", "hang", "1", JobOptions::default()).await;
        hanging.push(id);
    }
    for id in &hanging {
        rig.until_state("chat", *id, "active").await;
    }
    // The worker has no place left for this one, so it shows that a place became free.
    let next = rig.submit("chat", "done", "1", JobOptions::default()).await;
    let first = hanging[0].to_string();
    let refused = run(&rig, &format!("delete {first}"));
    assert!(refused.complaint(1).contains("is active"), "{refused:?}");
    let told = run(&rig, &format!("cancel {first}"));
    assert_eq!(told.out, format!("{first} is active: its worker is told\n"));
    rig.until_state("chat", hanging[0], "cancelled").await;
    rig.until_state("chat", next, "completed").await;
    // What waits is not meant by what is active, nor the other way round.
    let none = run(
        &rig,
        "cancel --queue chat --state waiting,delayed --all --json",
    )
    .json();
    assert_eq!(counts(&none), [0; 4]);
    let rest = run(&rig, "cancel --queue chat --state active --all --json").json();
    assert_eq!(counts(&rest), [7, 0, 7, 0]);
    for id in &hanging {
        rig.until_state("chat", *id, "cancelled").await;
    }
    worker.kill();
}

#[tokio::test]
async fn single_jobs_are_cancelled_and_deleted_by_their_ids() {
    let rig = Rig::start("ids").await;
    let later = JobOptions {
        delay_ms: 600_000,
        ..JobOptions::default()
    };
    let waiting = rig.submit("chat", "done", "1", JobOptions::default()).await;
    let delayed = rig.submit("video", "done", "1", later).await;
    let done = run(&rig, &format!("cancel {waiting} {delayed} --json")).json();
    let outcomes: Vec<_> = done["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| (&job["queue"], &job["outcome"]))
        .collect();
    let expected =
        [("chat", "cancelled"), ("video", "cancelled")].map(|(a, b)| (a.into(), b.into()));
    assert_eq!(outcomes, expected.each_ref().map(|(a, b)| (a, b)));
    let again = run(&rig, &format!("cancel {waiting}"));
    assert!(
        again.complaint(1).contains("is cancelled: only"),
        "{again:?}"
    );
    let gone = run(&rig, &format!("delete {waiting} {delayed}")).out;
    assert_eq!(
        gone,
        format!("{waiting} is deleted\n{delayed} is deleted\n")
    );
    let absent = run(&rig, &format!("delete {waiting}"));
    assert!(
        absent.complaint(1).contains("no job has the id"),
        "{absent:?}"
    );
}

#[tokio::test]
async fn drain_takes_what_is_delayed_only_when_asked() {
    let rig = Rig::start("drain").await;
    rig.submit_many("chat", 20, |n| JobOptions {
        delay_ms: if n % 2 == 0 { 600_000 } else { 0 },
        ..JobOptions::default()
    })
    .await;
    assert_eq!(run(&rig, "drain chat").out, "10 jobs cancelled\n");
    assert_eq!(rig.count("chat", JobState::Delayed).await, 10);
    let dry = run(&rig, "drain chat --delayed --dry-run").out;
    assert_eq!(dry, "10 jobs would be cancelled; nothing was changed\n");
    assert_eq!(run(&rig, "drain chat --delayed").out, "10 jobs cancelled\n");
    assert_eq!(run(&rig, "drain chat --delayed").out, "0 jobs cancelled\n");
    assert_eq!(
        run(&rig, "drain caht").complaint(1),
        "no queue is named `caht`"
    );
}

#[tokio::test]
async fn a_bulk_command_says_what_it_is_missing() {
    let rig = Rig::start("usage").await;
    let id = rig.submit("chat", "done", "1", JobOptions::default()).await;
    for (line, hint) in [
        ("retry", "Name jobs, or a --queue"),
        ("retry --state failed --all", "Name jobs, or a --queue"),
        ("retry --queue chat", "say --all"),
        ("retry --queue chat --state failed --dry-run", "say --all"),
        (
            "retry --queue chat --state active --all",
            "failed, cancelled",
        ),
        ("cancel --queue chat --all", "which --state"),
        (
            "cancel --queue chat --state failed --all",
            "only to those that are",
        ),
        (
            "delete --queue chat --state active --all",
            "only to those that are",
        ),
    ] {
        let answer = run(&rig, line);
        assert!(answer.complaint(2).contains(hint), "{line}: {answer:?}");
    }
    for line in [
        "retry --queue chat --older-than 10",
        "retry --queue chat --limit 0",
        "retry --queue chat --state gone",
    ] {
        assert_eq!(run(&rig, line).code, 2, "{line}");
    }
    let mixed = run(&rig, &format!("cancel {id} --queue chat --kind done"));
    assert_eq!(mixed.code, 2, "{mixed:?}");
    assert_eq!(rig.count("chat", JobState::Waiting).await, 1);
}

#[tokio::test]
async fn a_bulk_command_that_is_stopped_says_what_it_did() {
    let rig = Rig::start("stopped").await;
    rig.submit_many("chat", MANY, |_| JobOptions::default())
        .await;
    let line = "cancel --queue chat --state waiting --all --json";
    let words: Vec<_> = line.split(' ').collect();
    let mut process = Process::start(rig.command(&words));
    until("it is at it", async || {
        (rig.count("chat", JobState::Cancelled).await > 0).then_some(())
    })
    .await;
    process.signal(Signal::SIGINT);
    let (status, _) = process.ended().await;
    let summary: Value = serde_json::from_str(&process.out()).unwrap();
    // On a fast machine it may have been done before the signal came.
    let finished = summary["finished"] == true;
    assert_eq!(status.code(), Some(i32::from(!finished)));
    assert_eq!(process.err().contains("run it again"), !finished);
    let cancelled = rig.count("chat", JobState::Cancelled).await;
    assert_eq!(summary["done"], cancelled);
    // For the rest.
    let rest = run(&rig, line).json();
    assert_eq!(rest["done"], MANY as u64 - cancelled);
}
