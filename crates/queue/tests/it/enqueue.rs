//! Handing in a job by hand, and waiting for its end.

use std::{
    io::Write as _,
    process::Stdio,
    time::{Duration, Instant},
};

use protocol::{JobOptions, JobState};
use serde_json::Value;

use crate::rig::{Answer, Rig, Worker};

/// Runs a command with something on its standard input.
fn fed(rig: &Rig, words: &[&str], input: &str) -> Answer {
    let mut child = rig.command(words).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have complained already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    Answer::of(child.wait_with_output().unwrap())
}

#[tokio::test]
async fn a_job_is_stored_as_it_was_asked_for() {
    let rig = Rig::start("enqueue").await;
    let plain = rig.run(&["enqueue", "done", "-1"]);
    let id = plain.out.trim_end();
    assert_eq!((plain.code, id.len()), (0, 26), "{plain:?}");
    let job = rig.run(&["job", id, "--json"]).json();
    assert_eq!(
        (&job["queue"], &job["payload"]),
        (&"chat".into(), &(-1).into())
    );
    assert_eq!(
        (&job["state"], &job["max_attempts"]),
        (&"waiting".into(), &5.into())
    );

    let line = "enqueue report {} --queue reports --priority high --delay 10m --ttl 1h --timeout 30s --max-attempts 3 \
        --key k-1 --tenant acme --topic news --retry exponential:1s:5m --json";
    let words: Vec<_> = line.split_whitespace().collect();
    let stored = rig.run(&words).json();
    assert_eq!(
        (&stored["queue"], &stored["duplicate"], &stored["state"]),
        (&"reports".into(), &false.into(), &Value::Null)
    );
    let id = stored["id"].as_str().unwrap();
    let job = rig.run(&["job", id, "--json"]).json();
    let names = ["kind", "priority", "state", "tenant", "topic", "key"];
    let expected = ["report", "high", "delayed", "acme", "news", "k-1"];
    assert_eq!(names.map(|name| job[name].as_str().unwrap()), expected);
    assert_eq!(
        (&job["timeout_ms"], &job["max_attempts"]),
        (&30_000.into(), &3.into())
    );
    assert_eq!(job["retry"]["max_ms"], 300_000);
    let ms = |name: &str| job[name].as_u64().unwrap();
    assert_eq!(ms("due_at"), ms("created_at") + 600_000);
    assert_eq!(ms("expires_at"), ms("due_at") + 3_600_000);
    let shown = rig.run(&["job", id]).out;
    for line in [
        "Key       k-1\n",
        "Timeout   30s an attempt\n",
        "Pause     1s doubling up to 5m",
    ] {
        assert!(shown.contains(line), "{shown}");
    }

    // The key makes it the same job.
    let again = rig.run(&words);
    assert_eq!((again.code, again.err.as_str()), (0, ""), "{again:?}");
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(
        (&again["id"], &again["duplicate"]),
        (&id.into(), &true.into())
    );
    assert_eq!(again["state"], "delayed");
    let line = "enqueue report [] --queue reports --key k-1 --tenant acme";
    let other = rig.run(&line.split(' ').collect::<Vec<_>>());
    assert!(other.complaint(1).contains("another payload"), "{other:?}");
    assert_eq!(rig.count("reports", JobState::Delayed).await, 1);
    let at = rig.run(&["enqueue", "done", "1", "--run-at", "2199-01-01T00:00:00Z"]);
    let job = rig.run(&["job", at.out.trim_end(), "--json"]).json();
    assert_eq!(job["due_at"], 7_226_582_400_000_u64);
}

#[tokio::test]
async fn waiting_tells_its_events_and_how_it_ended() {
    let rig = Rig::start("wait").await;
    let worker = Worker::start(&rig, "chat", Duration::from_secs(10));
    let words = ["enqueue", "done", "-", "--wait", "30", "--key", "k"];
    let done = fed(&rig, &words, "{\n  \"a\": 1\n}\n");
    let lines: Vec<_> = done.out.lines().collect();
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{done:?}");
    let expected = ["queued", "started   attempt 1", r#"completed {   "a": 1 }"#];
    assert_eq!(lines[1..], expected, "{done:?}");

    // A job that is there already, and has ended.
    let again = fed(&rig, &words, "{\n  \"a\": 1\n}\n");
    assert_eq!(again.out.lines().next(), lines.first().copied());
    assert!(again.complaint(0).contains("it is completed"), "{again:?}");
    assert!(again.out.lines().nth(1).unwrap().starts_with("completed {"));

    // Data comes byte for byte, also to programs.
    let precise = [
        "enqueue",
        "done",
        "1.00000000000000000001",
        "--wait",
        "--json",
    ];
    let precise = rig.run(&precise).out;
    assert!(
        precise.contains("\"data\":1.00000000000000000001}"),
        "{precise}"
    );
    let failed = rig.run(&[
        "enqueue",
        "fail",
        r#""boom""#,
        "--topic",
        "room",
        "--wait",
        "--json",
    ]);
    assert_eq!((failed.code, failed.err.as_str()), (1, ""), "{failed:?}");
    let lines: Vec<Value> = failed
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let types: Vec<_> = lines[1..].iter().map(|event| &event["type"]).collect();
    assert_eq!(types, ["queued", "started", "failed"]);
    assert_eq!(lines[3]["error"]["message"], "boom");
    assert_eq!(lines[3]["job"], lines[0]["id"]);
    worker.kill();

    let start = Instant::now();
    let late = rig.run(&["enqueue", "done", "1", "--wait", "100ms"]);
    assert!(
        late.complaint(1).contains("has not ended within 100ms"),
        "{late:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(rig.count("chat", JobState::Waiting).await, 1);
}

#[tokio::test]
async fn a_job_that_makes_no_sense_is_refused() {
    let rig = Rig::start("nonsense").await;
    for line in [
        "enqueue done hi",
        "enqueue done 1 --max-attempts 0",
        "enqueue done 1 --max-attempts 101",
        "enqueue done 1 --delay 400d",
        "enqueue done 1 --timeout 0s",
        "enqueue done 1 --retry exponential:5m:1s",
    ] {
        let answer = rig.run(&line.split(' ').collect::<Vec<_>>());
        assert!(!answer.complaint(2).is_empty(), "{line}");
    }
    for line in [
        "enqueue done",
        "enqueue a:b 1",
        "enqueue done 1 --delay 5",
        "enqueue done 1 --delay 5s --run-at 5",
        "enqueue done 1 --run-at tomorrow",
        "enqueue done 1 --retry never",
        "enqueue done 1 --priority urgent",
        "enqueue done 1 --wait soon",
    ] {
        let answer = rig.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(answer.code, 2, "{line}: {answer:?}");
    }
    let text = format!("\"{}\"", "x".repeat(300_000));
    let long = fed(&rig, &["enqueue", "done", "-"], &text);
    assert!(long.complaint(2).contains("300002 bytes"), "{long:?}");
    assert!(rig.inspector.queues().await.unwrap().is_empty());
    rig.submit("chat", "done", "1", JobOptions::default()).await;
}

#[tokio::test]
async fn waiting_goes_on_through_an_outage() {
    let mut rig = Rig::over(broker::testing::TestRedis::durable().await, "outage");
    let words = ["enqueue", "done", "7", "--wait"];
    let mut process = crate::rig::Process::start(rig.command(&words));
    broker::testing::until("the job is stored", async || {
        process.out().contains("queued").then_some(())
    })
    .await;
    rig.server.kill();
    broker::testing::until("the outage is said", async || {
        process.err().contains("Redis at").then_some(())
    })
    .await;
    rig.server.run().await;
    let worker = Worker::start(&rig, "chat", Duration::from_secs(10));
    let (status, _) = process.ended().await;
    assert!(status.success(), "{}", process.err());
    assert!(
        process.out().ends_with("completed 7\n"),
        "{}",
        process.out()
    );
    assert_eq!(process.err().lines().count(), 1, "{}", process.err());
    worker.kill();
}

#[tokio::test]
async fn a_job_is_followed_from_its_beginning() {
    let rig = Rig::start("followed").await;
    let id = rig.submit("chat", "done", "7", JobOptions::default()).await;
    let mut process =
        crate::rig::Process::start(rig.command(&["job", &id.to_string(), "--follow"]));
    broker::testing::until("what was logged is told", async || {
        process.out().contains("queued\n").then_some(())
    })
    .await;
    let worker = Worker::start(&rig, "chat", Duration::from_secs(10));
    let (status, _) = process.ended().await;
    assert!(status.success(), "{}", process.err());
    let told = |out: &str| {
        let lines = out.lines().map(|line| line.split_once("  ").unwrap().1);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = ["queued", "started   attempt 1", "completed 7"];
    assert_eq!(told(&process.out()), expected);
    // All of it is logged by now, and told once.
    let again = rig.run(&["job", &id.to_string(), "--follow"]);
    assert_eq!(told(&again.out), expected, "{again:?}");
    worker.kill();
}
