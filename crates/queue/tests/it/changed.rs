//! What commands say that change something, or would, as it was reviewed.

use std::time::Duration;

use broker::testing::until;

use crate::{
    rig::{Rig, Worker},
    scene::{Scene, words},
    snapshot::{check, session},
};

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
            &format!("cancel {active} {delayed} {completed} --dry-run"),
            &format!("retry {failed} --dry-run --json"),
            &format!("run-now {delayed} --dry-run"),
            "priority high --queue chat --all --dry-run",
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
        "priority",
        &scene.session(&[
            "priority high --queue chat --all",
            "priority high --queue chat --all",
            &format!("priority low {delayed} --json"),
            &format!("priority low {completed}"),
        ]),
    );
    check(
        "run-now",
        &scene.session(&[
            &format!("run-now {delayed}"),
            &format!("run-now {delayed} --json"),
            "run-now --queue chat --kind done --json",
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
