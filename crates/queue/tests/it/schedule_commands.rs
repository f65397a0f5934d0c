//! `queue schedules`, as an operator types it.

use std::fs::write;

use broker::testing::until;
use protocol::JobState;

use crate::rig::{Process, Rig};

#[tokio::test]
async fn an_operator_sets_and_sees_schedules() {
    let rig = Rig::start("sets").await;
    let run = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        rig.run(&[&["schedules"], words.as_slice()].concat())
    };
    assert_eq!(rig.run(&["schedules"]).out, "There are no schedules.\n");
    let set = "set a --every 1h done {\"a\":1}";
    let answer = run(set);
    assert!(answer.out.starts_with("Created: next 20"), "{answer:?}");
    assert!(run(set).out.starts_with("Updated: next 20"));
    let cron = [
        "set",
        "b",
        "--queue",
        "q",
        "--cron",
        "0 30 6 * * MON",
        "--zone",
        "Europe/Berlin",
    ];
    let cron = [&["schedules"], &cron[..], &["done", "1", "--json"]].concat();
    let record = rig.run(&cron).json();
    assert_eq!(record["when"]["zone"], "Europe/Berlin");
    assert_eq!(record["paused"], false);

    let listed = rig.run(&["schedules", "--json"]).json();
    assert_eq!(listed["schedules"].as_array().unwrap().len(), 2);
    let shown = run("--queue q").out;
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert!(shown.ends_with("0 30 6 * * MON Europe/Berlin\n"), "{shown}");
    let shown = run("show a").out;
    assert!(shown.contains("When      every 1h\n"), "{shown}");
    let next = run("next b --queue q -n 3").out;
    assert_eq!(next.lines().count(), 3, "{next}");
    let json = run("next a --json").json();
    assert_eq!(json["next"].as_array().unwrap().len(), 5);

    let answer = run("set past --at 2020-01-01T00:00:00Z done 1");
    assert_eq!(
        answer.out,
        "Created: its time is past, so it does not run\n"
    );

    assert!(run("pause a").out.starts_with("Paused"));
    assert!(run("pause a").out.starts_with("It was paused"));
    assert!(rig.run(&["schedules"]).out.contains(" paused "));
    let id = run("run a").out.trim().to_owned();
    let job = rig.run(&["job", &id, "--json"]).json();
    assert_eq!(job["key"], format!("schedule/a/{id}"));
    assert_eq!(run("resume a --json").json()["changed"], true);
    assert_eq!(run("remove a").out, "Removed.\n");
    for line in [
        "remove a", "show a", "pause a", "resume a", "run a", "next a",
    ] {
        let answer = run(line);
        assert_eq!(answer.complaint(1), "queue chat has no schedule `a`");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_said_in_a_line() {
    let rig = Rig::start("nonsense").await;
    for (options, why) in [
        (&["--cron", "* *"][..], "is no cron"),
        (&["--cron", "0 0 0 30 2 *"], "never comes"),
        (
            &["--cron", "* * * * *", "--zone", "Mars/Base"],
            "no time zone",
        ),
        (&["--every", "10ms"], "every_ms is 10"),
        (
            &["--every", "5s", "--max-attempts", "0"],
            "max_attempts is 0",
        ),
    ] {
        let words = [&["schedules", "set", "a", "done", "1"], options].concat();
        let answer = rig.run(&words);
        assert!(answer.complaint(2).contains(why), "{answer:?}");
    }
    let words = ["schedules", "set", "a", "done", "{", "--every", "5s"];
    assert!(rig.run(&words).complaint(2).contains("no JSON"));
    assert_eq!(rig.run(&["schedules", "--queue", "x"]).code, 1);
}

#[tokio::test]
async fn a_file_is_checked_shown_and_applied() {
    let rig = Rig::start("files").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("house.toml");
    let file = path.to_str().unwrap();
    let text = "[[schedules]]\nname = \"a\"\nqueue = \"chat\"\nwhen = { every_ms = 3600000 }\njob = { kind = \"done\", payload = 1 }\n";
    let both = text.to_owned() + &text.replace("\"a\"", "\"b\"");
    write(&path, &both).unwrap();
    let answer = rig.run(&["schedules", "validate", file]);
    assert_eq!(answer.out, "house.toml: 2 schedules, nothing wrong\n");
    let answer = rig.run(&["schedules", "apply", file, "--dry-run"]);
    assert_eq!(
        answer.out,
        "added a of queue chat\nadded b of queue chat\n2 would change.\n"
    );
    assert!(
        rig.run(&["schedules", "apply", file])
            .out
            .ends_with("2 changed.\n")
    );
    let answer = rig.run(&["schedules", "apply", file]);
    assert_eq!(answer.out, "Nothing is to be changed.\n");
    write(&path, text).unwrap();
    let json = rig.run(&["schedules", "apply", file, "--json"]).json();
    assert_eq!(json["changes"][1]["change"], "removed");
    write(&path, text.replace("every_ms", "every")).unwrap();
    for verb in ["validate", "apply"] {
        let answer = rig.run(&["schedules", verb, file]);
        assert!(
            answer.complaint(2).contains("unknown field `every`"),
            "{answer:?}"
        );
    }
    assert_eq!(rig.run(&["schedules", "apply", "nowhere.json"]).code, 2);
    // Nor does a manager start with it.
    let answer = rig.run(&["--listen", "127.0.0.1:0", "--schedules", file]);
    assert_eq!(answer.code, 1, "{answer:?}");
}

#[tokio::test]
async fn a_manager_runs_what_its_file_says() {
    let rig = Rig::start("manages").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.json");
    let text = r#"{"schedules":[{"name":"a","queue":"chat","when":{"every_ms":1000},"job":{"kind":"done","payload":1}}]}"#;
    write(&path, text).unwrap();
    let file = path.to_str().unwrap();
    let _manager = Process::start(rig.command(&["--listen", "127.0.0.1:0", "--schedules", file]));
    until("it has run twice", async || {
        (rig.count("chat", JobState::Waiting).await >= 2).then_some(())
    })
    .await;
    let record = &rig.run(&["schedules", "show", "a", "--json"]).json();
    assert_eq!(record["source"], "s.json");
    let last = record["last"]["at"].as_u64().unwrap();
    assert_eq!(record["next_at"], last + 1_000);
}
