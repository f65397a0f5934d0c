//! Every table and every form of JSON of the commands that look, as it was reviewed.

use std::fmt::Write as _;

use broker::testing::until;
use nix::sys::signal::Signal;
use protocol::JobOptions;

use crate::{
    rig::{Answer, Process, Rig},
    scene::{Scene, words},
    snapshot::{check, session},
    terminal::Terminal,
};

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
            "jobs --state delayed,waiting --queue video",
            "jobs --text LINE --newer-than 1h",
            "jobs --queue chat --tenant public --kind done",
            "jobs --queue chat --error timeout",
            "jobs --older-than 1d --json",
            "jobs --all --state waiting,failed",
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
            &format!("job {completed} --events"),
            &format!("job {failed} --events --json"),
            &format!("job {failed} --follow"),
        ]),
    );
    check(
        "errors",
        &scene.session(&["errors", "errors chat --json", "errors video"]),
    );
    check(
        "tenants",
        &scene.session(&["tenants chat", "tenants chat --json", "tenants video"]),
    );
}

#[tokio::test]
async fn a_list_goes_on_where_it_ended() {
    let scene = Scene::set("goes-on").await;
    let mut shown = Vec::new();
    let mut line = "jobs --queue chat --limit 2 --json".to_owned();
    loop {
        let page = scene.run(&line).json();
        let jobs = page["jobs"].as_array().unwrap();
        shown.extend(
            jobs.iter()
                .map(|job| job["state"].as_str().unwrap().to_owned()),
        );
        assert_eq!(page["more"], !page["next"].is_null());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        line = format!("jobs --queue chat --limit 2 --cursor {next} --json");
    }
    assert_eq!(
        shown,
        ["waiting", "delayed", "active", "completed", "failed"]
    );
    // All at once: a line a page.
    let pages = scene.run("jobs --all --json").out;
    let pages: Vec<serde_json::Value> = pages
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let counts: Vec<_> = pages
        .iter()
        .map(|page| (page["jobs"].as_array().unwrap().len(), &page["more"]))
        .collect();
    assert_eq!(counts, [(5, &true.into()), (1, &false.into())]);
    let line = "jobs --queue chat --state completed,failed --limit 1 --json";
    let next = scene.run(line).json();
    let next = next["next"].as_str().unwrap();
    let wrong = scene.run(&format!("jobs --queue chat --state failed --cursor {next}"));
    assert!(wrong.complaint(2).contains("another queue"), "{wrong:?}");
    for line in ["jobs --cursor x --queue chat", "jobs --all --limit 5"] {
        assert_eq!(scene.run(line).code, 2, "{line}");
    }
}

#[tokio::test]
async fn what_happened_lately_is_shown() {
    let rig = Rig::start("lately").await;
    // The minute must not end before the test does.
    let now = until("a minute has time left", async || {
        let now = rig.inspector.now().await.unwrap();
        (now % 60_000 < 55_000).then_some(now)
    })
    .await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    let unknown = rig.run(&words("stats --since 1h"));
    assert!(
        unknown.err.contains("nothing is known of queue chat"),
        "{unknown:?}"
    );
    // Minutes as managers keep them: totals, depths, and kinds.
    for ago in 1..=10 {
        let minute = now / 60_000 - ago;
        let day = minute / (24 * 60);
        let done = 100 - ago * 10;
        let text = format!("{done} {done} 2 0 1 0 0 0 5 0 1 mail={done}/2");
        let kept = [
            "HSET",
            &format!("lately{{chat}}:minutes:{day}"),
            &minute.to_string(),
            &text,
        ];
        let _: i64 = rig.server.command(&kept).await;
    }
    let lines = ["stats chat --since 5m", "stats --since 1h"];
    let run = |line: &str| session(line, &rig.run(&words(line)));
    check("lately", &lines.map(run).concat());
    let shown = rig.run(&words("stats --since 5m --json")).json();
    let history = &shown["queues"][0]["history"];
    assert_eq!(history["completed"], 40);
    assert_eq!(history["points"][0]["completed"], 10);
    assert_eq!(history["kinds"][0]["kind"], "mail");
    assert!(rig.run(&words("stats --json")).json()["queues"][0]["history"].is_null());
}

#[tokio::test]
async fn nothing_is_shown_as_nothing() {
    let rig = Rig::start("nothing").await;
    let lines = [
        "stats",
        "stats --json",
        "jobs",
        "jobs --json",
        "jobs --all --json",
        "errors",
        "workers",
    ];
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
async fn schedules_are_shown() {
    let rig = Rig::start("scheduled").await;
    let lines = [
        "schedules",
        "schedules set launch --at 2199-01-01T00:00:00Z launch '{\"n\":1}'",
        // Its table says for how long: only that of one that rests is always the same.
        "schedules --json",
        "schedules show launch",
        "schedules next launch --json",
        "schedules pause launch --json",
        "schedules",
        "schedules resume launch",
        "schedules run launch",
        "schedules remove launch --json",
        "schedules show launch",
    ];
    let run = |line: &str| session(line, &rig.run(&words(line)));
    check("schedules", &lines.map(run).concat());
}

#[tokio::test]
async fn looks_are_lines() {
    let rig = Rig::start("lines").await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    let mut shown = String::new();
    for line in [
        "watch --interval 100ms",
        "watch --interval 100ms --json",
        "watch video --interval 100ms",
    ] {
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
