//! Every table and every form of JSON as it was reviewed, with exit codes, on a scene that is always the same.

use std::{fmt::Write as _, time::Duration};

use broker::testing::until;
use nix::sys::signal::Signal;
use protocol::{JobId, JobOptions};

use crate::{
    rig::{Answer, Process, Rig, Worker, name},
    snapshot::{check, session},
    terminal::Terminal,
};

/// Jobs in every state.
struct Scene {
    rig: Rig,
    failed: JobId,
    completed: JobId,
    delayed: JobId,
    active: JobId,
}

fn of(tenant: &str, delay_ms: u64) -> JobOptions {
    JobOptions {
        tenant: tenant.parse().unwrap(),
        delay_ms,
        ..JobOptions::default()
    }
}

impl Scene {
    async fn set(prefix: &'static str) -> Self {
        let rig = Rig::start(prefix).await;
        // Long enough for a test, whose worker goes without giving its jobs back.
        let worker = Worker::start(&rig, "chat", Duration::from_secs(600));
        let message = r#""no route to 10.0.0.7\nat \u001b[31mline 7""#;
        let failed = rig.submit("chat", "fail", message, of("acme", 0)).await;
        rig.until_state("chat", failed, "failed").await;
        let payload = r#"{"b":1.0,"a":["x"]}"#;
        let completed = rig.submit("chat", "done", payload, of("public", 0)).await;
        rig.until_state("chat", completed, "completed").await;
        let active = rig.submit("chat", "hang", "1", of("public", 0)).await;
        rig.until_state("chat", active, "active").await;
        worker.kill();
        let delayed = rig.submit("chat", "done", "1", of("acme", 600_000)).await;
        rig.submit("chat", "done", "2", of("public", 0)).await;
        let cancelled = rig.submit("video", "done", "3", of("public", 0)).await;
        rig.run(&["cancel", &cancelled.to_string()]);
        Self {
            rig,
            failed,
            completed,
            delayed,
            active,
        }
    }

    fn session(&self, lines: &[&str]) -> String {
        let run = |line: &&str| session(line, &self.run(line));
        lines.iter().map(run).collect()
    }

    fn run(&self, line: &str) -> Answer {
        self.rig.run(&words(line))
    }
}

/// The words of a line, without the quotes around some.
fn words(line: &str) -> Vec<&str> {
    line.split(' ')
        .map(|word| word.trim_matches('\''))
        .collect()
}

#[tokio::test]
async fn what_is_there_is_shown() {
    let scene = Scene::set("shown").await;
    check("stats", &scene.session(&["stats", "stats --json"]));
    check(
        "jobs",
        &scene.session(&[
            "jobs",
            "jobs --state failed --json",
            "jobs --queue video",
            "jobs --limit 2",
            "jobs --state delayed --queue video",
        ]),
    );
    let Scene {
        failed,
        completed,
        delayed,
        active,
        ..
    } = &scene;
    check(
        "job",
        &scene.session(&[
            &format!("job {failed}"),
            &format!("job {completed} --queue chat"),
            &format!("job {delayed}"),
            &format!("job {active} --json"),
            &format!("job {completed} --json"),
        ]),
    );
    check(
        "tenants",
        &scene.session(&["tenants chat", "tenants chat --json", "tenants video"]),
    );
}

#[tokio::test]
async fn nothing_is_shown_as_nothing() {
    let rig = Rig::start("nothing").await;
    let lines = ["stats", "stats --json", "jobs", "jobs --json", "workers"];
    let run = |line: &str| session(line, &rig.run(&words(line)));
    check("nothing", &lines.map(run).concat());
}

#[tokio::test]
async fn workers_are_shown() {
    let rig = Rig::start("workers").await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    // Cards as workers write them; the times are so far away that ages are always the same.
    for (worker, dead_at, kinds) in [("w-1", "99999999999999", "chat demo"), ("w-2", "11000", "")] {
        let about = r#"{"host":"h-1","pid":42,"version":"0.1.0","concurrency":9,"active":3,"started_at":1}"#;
        let key = format!("workers{{chat}}:worker:{worker}");
        let card = [
            "HSET",
            &key,
            "about",
            about,
            "beat",
            "99999999999999",
            "kinds",
            kinds,
        ];
        let _: i64 = rig.server.command(&card).await;
        let listed = ["ZADD", "workers{chat}:workers", dead_at, worker];
        let _: i64 = rig.server.command(&listed).await;
    }
    let lines = ["workers", "workers chat --all", "workers --all --json"];
    let run = |line: &str| session(line, &rig.run(&words(line)));
    check("workers", &lines.map(run).concat());
}

#[tokio::test]
async fn what_is_changed_is_said() {
    let scene = Scene::set("changed").await;
    let Scene {
        failed,
        completed,
        delayed,
        active,
        ..
    } = &scene;
    check(
        "pause",
        &scene.session(&[
            "pause chat",
            "pause chat",
            "stats",
            "resume chat --json",
            "resume chat",
            "pause caht",
        ]),
    );
    check(
        "limits",
        &scene.session(&[
            "limits chat",
            "limits chat --max-active 50 --rate 100/s --tenant-max-waiting 7",
            "limits chat --tenant acme --rate 20/s",
            "limits chat --json",
            "limits chat --tenant acme --json",
            "limits chat --tenant acme --clear",
            "limits chat --clear --json",
        ]),
    );
    check(
        "dry-run",
        &scene.session(&[
            "retry --queue chat --all --dry-run",
            "retry --queue chat --kind fail --dry-run --json",
            "cancel --queue chat --state waiting,delayed --all --dry-run",
            "delete --queue chat --state completed --older-than 7d --dry-run",
            "drain chat --delayed --dry-run",
        ]),
    );
    check(
        "retry",
        &scene.session(&[
            &format!("retry {failed}"),
            &format!("retry {failed} {completed} --json"),
            "retry --queue video --state cancelled --all",
            "retry --queue chat --error timeout --json",
        ]),
    );
    check(
        "cancel",
        &scene.session(&[
            &format!("cancel {active}"),
            &format!("cancel {delayed} --json"),
            "cancel --queue chat --state waiting --tenant public",
            "drain chat --json",
        ]),
    );
    check(
        "delete",
        &scene.session(&[
            &format!("delete {completed}"),
            &format!("delete {completed} --json"),
            "delete --queue chat --state cancelled --all --json",
        ]),
    );
}

#[tokio::test]
async fn a_job_that_is_handed_in_is_said() {
    let rig = Rig::start("handed-in").await;
    let worker = Worker::start(&rig, "chat", Duration::from_secs(10));
    until("the worker waits for work", async || {
        let clients: String = rig.server.command(&["INFO", "clients"]).await;
        clients.contains("blocked_clients:2").then_some(())
    })
    .await;
    let lines = [
        "enqueue done '{\"a\":1}' --wait",
        "enqueue done 1 --key k --delay 10m",
        "enqueue done 1 --key k --delay 10m",
        "enqueue done 1 --queue other --json",
        "enqueue fail '\"boom\"' --wait",
        "enqueue done hi",
    ];
    let run = |line: &str| session(line, &rig.run(&words(line)));
    check("enqueue", &lines.map(run).concat());
    worker.kill();
}

#[tokio::test]
async fn looks_are_lines() {
    let rig = Rig::start("lines").await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    let mut shown = String::new();
    for line in ["watch --interval 100ms", "watch --interval 100ms --json"] {
        let mut process = Process::start(rig.command(&words(line)));
        until("two looks", async || {
            (process.out().matches('\n').count() >= 2).then_some(())
        })
        .await;
        process.signal(Signal::SIGINT);
        let (status, _) = process.ended().await;
        let out: String = process.out().split_inclusive('\n').take(2).collect();
        let answer = Answer {
            code: status.code().unwrap(),
            out,
            err: process.err(),
        };
        shown.push_str(&session(line, &answer));
    }
    check("watch", &shown);
}

#[tokio::test]
async fn a_narrow_terminal_cuts_what_is_long() {
    let scene = Scene::set("narrow").await;
    let mut shown = String::new();
    for line in ["jobs", "stats", "workers", "tenants chat"] {
        let mut command = scene.rig.command(&words(line));
        command.env("NO_COLOR", "1");
        let mut terminal = Terminal::start(command, 80, 24);
        terminal.left().await;
        let _ = write!(shown, "$ queue {line}\n{}\n\n", terminal.screen());
    }
    check("narrow", &shown);
}

#[tokio::test]
async fn refusals_say_what_would_do() {
    let rig = Rig::start("refused").await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    let unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let lines = [
        "stat".to_owned(),
        "jobs --state done".to_owned(),
        "jobs --queue video".to_owned(),
        "job x".to_owned(),
        format!("job {unknown}"),
        "retry".to_owned(),
        "retry --queue chat".to_owned(),
        format!("retry {unknown}"),
        format!("retry {unknown} --all"),
        "cancel --queue chat --all".to_owned(),
        "delete --queue chat --state active --all".to_owned(),
        "enqueue done 1 --delay 5".to_owned(),
        "limits chat --rate 5".to_owned(),
        "top".to_owned(),
        "watch --interval 1ms".to_owned(),
        "--interval-ms 50 watch".to_owned(),
        "--redis-url http://x stats".to_owned(),
        "--redis-url redis://:secret@127.0.0.1:1 stats".to_owned(),
    ];
    let run = |line: &String| {
        let mut command = rig.command(&words(line));
        command.env("COLUMNS", "100");
        session(line, &Answer::of(command.output().unwrap()))
    };
    check("refusals", &lines.iter().map(run).collect::<String>());
    assert!(rig.inspector.queues().await.unwrap() == [name("chat")]);
}
