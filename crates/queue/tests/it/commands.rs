//! The commands that answer and end.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use protocol::JobOptions;

use crate::rig::{Answer, Rig, Worker, binary};

const UNKNOWN: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

#[tokio::test]
async fn an_operator_finds_a_failed_job_and_runs_it_again() {
    let rig = Rig::start("operator").await;
    let worker = Worker::start(&rig, "chat", Duration::from_secs(10));
    let failed = rig
        .submit("chat", "fail", r#""no such file""#, JobOptions::default())
        .await;
    let done = rig
        .submit("chat", "done", r#"{"b":1,"a":2}"#, JobOptions::default())
        .await;
    rig.until_state("chat", failed, "failed").await;
    rig.until_state("chat", done, "completed").await;
    worker.kill();
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    let later = JobOptions {
        delay_ms: 600_000,
        ..JobOptions::default()
    };
    let delayed = rig.submit("video", "done", "1", later).await;
    let (failed, done, delayed) = (failed.to_string(), done.to_string(), delayed.to_string());

    let stats = rig.run(&["stats", "--json"]).json();
    assert_eq!(stats["queues"][0]["queue"], "chat");
    let jobs = &stats["queues"][0]["jobs"];
    assert_eq!(
        (&jobs["waiting"], &jobs["completed"], &jobs["failed"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!(stats["queues"][0]["totals"]["enqueued"], 3);
    assert_eq!(stats["queues"][1]["jobs"]["delayed"], 1);
    let shown = rig.run(&["stats"]).out;
    let row: Vec<_> = shown.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["chat", "1", "0", "0", "1", "1", "0"], "{shown}");

    let listed = rig.run(&["jobs", "--state", "failed", "--json"]).json();
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(listed["jobs"][0]["id"], failed.as_str());
    assert_eq!(listed["jobs"][0]["error"]["message"], "no such file");
    let shown = rig.run(&["jobs"]).out;
    assert_eq!(shown.lines().count(), 5, "{shown}");
    assert!(shown.contains("  error: no such file\n"), "{shown}");
    let limited = rig.run(&["jobs", "--limit", "2"]);
    assert_eq!(limited.out.lines().count(), 3, "{limited:?}");
    assert!(limited.complaint(0).contains("--limit"), "{limited:?}");
    let other = rig.run(&["jobs", "--queue", "video", "--json"]).json();
    assert_eq!(other["jobs"][0]["id"], delayed.as_str());

    let shown = rig.run(&["job", &failed, "--queue", "chat"]).out;
    for line in [
        "State     failed\n",
        "Attempts  1 of 5\n",
        "Error     error: no such file\n",
        "Worker    w-1\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let shown = rig.run(&["job", &done]).out;
    assert!(
        shown.ends_with("Result\n{\n  \"b\": 1,\n  \"a\": 2\n}\n"),
        "{shown}"
    );
    let record = rig.run(&["job", &delayed, "--json"]).json();
    assert_eq!(
        (&record["queue"], &record["state"]),
        (&"video".into(), &"delayed".into())
    );

    let retried = rig.run(&["retry", &failed]);
    assert_eq!(retried.out, format!("{failed} waits again in queue chat\n"));
    assert_eq!(
        rig.run(&["stats", "--json"]).json()["queues"][0]["jobs"]["waiting"],
        2
    );
    let again = rig.run(&["retry", &failed, &done, UNKNOWN, "--json"]);
    assert_eq!((again.code, again.err.lines().count()), (1, 3), "{again:?}");
    let again: serde_json::Value = serde_json::from_str(&again.out).unwrap();
    let outcomes: Vec<_> = again["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| &job["outcome"])
        .collect();
    assert_eq!(outcomes, ["conflict", "conflict", "not_found"]);

    let worker = Worker::start(&rig, "chat", Duration::from_secs(10));
    rig.until_state("chat", failed.parse().unwrap(), "failed")
        .await;
    let shown = rig.run(&["job", &failed]).out;
    assert!(
        shown.contains("Attempts  1 of 5 (the latest is number 2)\n"),
        "{shown}"
    );
    worker.kill();
}

#[tokio::test]
async fn what_is_not_there_is_said_in_one_line() {
    let rig = Rig::start("absent").await;
    let empty = rig.run(&["stats"]);
    assert_eq!(
        (empty.code, empty.out.as_str()),
        (0, "No queue has had a job yet (key prefix `absent`).\n")
    );
    assert_eq!(
        rig.run(&["jobs", "--state", "failed"]).out,
        "No job is failed.\n"
    );
    let id = rig
        .submit("chat", "done", "1", JobOptions::default())
        .await
        .to_string();
    assert!(rig.run(&["job", UNKNOWN]).complaint(1).contains(UNKNOWN));
    assert!(
        rig.run(&["job", &id, "--queue", "video"])
            .complaint(1)
            .contains(&id)
    );
    assert!(rig.run(&["retry", UNKNOWN]).complaint(1).contains(UNKNOWN));
    assert!(rig.run(&["retry", &id]).complaint(1).contains("is waiting"));
    let nowhere = rig.run(&["jobs", "--queue", "video"]);
    assert_eq!(nowhere.complaint(1), "no queue is named `video`");
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let run = |words: &[&str]| Answer::of(binary(words).output().unwrap());
    let bad = run(&["job", "42"]);
    assert_eq!(bad.code, 2, "{bad:?}");
    assert!(bad.err.contains("`42` is not a job id"), "{bad:?}");
    assert_eq!(run(&["jobs", "--state", "done"]).code, 2);
    let url = run(&["stats", "--redis-url", "http://u:hunter2@x/"]);
    assert!(!url.complaint(2).contains("hunter2"), "{url:?}");
    assert!(
        run(&["stats", "--key-prefix", "a{b"])
            .complaint(2)
            .contains("prefix")
    );
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]);
        assert_eq!((script.code, script.err.as_str()), (0, ""), "{script:?}");
        assert!(script.out.contains("max-waiting"), "{shell}");
    }
    let help = run(&["retry", "--help"]);
    assert!(help.out.contains("queue retry --queue chat"), "{help:?}");
    let help = run(&["--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    assert!(help.out.contains("Examples:"), "{help:?}");
}

#[test]
fn without_redis_a_command_fails_fast_and_keeps_the_password() {
    let all = [
        &["stats"][..],
        &["watch"],
        &["job", UNKNOWN],
        &["retry", UNKNOWN],
        &["jobs", "--json"],
        &["cancel", UNKNOWN],
        &["delete", "--queue", "chat", "--state", "failed", "--all"],
        &["drain", "chat"],
        &["pause", "chat", "--create"],
        &["limits", "chat"],
        &["workers"],
        &["tenants", "chat"],
        &["enqueue", "chat", "1", "--wait"],
    ];
    for words in all {
        fails_fast("127.0.0.1:1", words);
    }
    // One that listens and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    fails_fast(&silent.local_addr().unwrap().to_string(), &["stats"]);
}

fn fails_fast(address: &str, words: &[&str]) {
    let start = Instant::now();
    let url = format!("redis://user:hunter2@{address}/");
    let answer = Answer::of(binary(words).env("REDIS_URL", url).output().unwrap());
    let complaint = answer.complaint(1);
    assert!(
        complaint.contains(address) && !complaint.contains("hunter2"),
        "{answer:?}"
    );
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_error() {
    let rig = Rig::start("pipe").await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    for words in [&["stats"][..], &["jobs", "--json"], &["watch"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let answer = Answer::of(rig.command(words).stdout(writer).output().unwrap());
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{words:?}");
    }
}
