//! `queue watch` into a pipe.

use broker::testing::until;
use nix::sys::signal::Signal;
use protocol::JobOptions;

use crate::rig::{Process, Rig};

#[tokio::test]
async fn the_counts_go_on_through_an_outage_until_ctrl_c() {
    let mut rig = Rig::start("watch").await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    let mut process = Process::start(rig.command(&["watch", "--interval", "100ms"]));
    let seen = async |text: &str| {
        until(text, async || {
            process.out().lines().last()?.contains(text).then_some(())
        })
        .await;
    };
    seen("chat: waiting 1, delayed 0, active 0, completed 0, failed 0, cancelled 0").await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    seen("chat: waiting 2,").await;
    seen("per second: in 0.0").await;
    assert!(
        !process.out().contains('\u{1b}'),
        "no pipe wants control sequences"
    );
    rig.server.kill();
    seen("Redis at 127.0.0.1:").await;
    rig.server.run().await;
    seen("no queue").await;
    process.signal(Signal::SIGINT);
    let (status, _) = process.ended().await;
    assert!(status.success());
    assert_eq!(process.err(), "");
}

#[tokio::test]
async fn programs_get_a_line_of_json_a_look() {
    let rig = Rig::start("watch-json").await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    let mut process = Process::start(rig.command(&["watch", "--json", "--interval", "100ms"]));
    until("two looks", async || {
        (process.out().matches('\n').count() >= 2).then_some(())
    })
    .await;
    process.signal(Signal::SIGTERM);
    assert!(process.ended().await.0.success());
    let looks: Vec<serde_json::Value> = process
        .out()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(looks[0]["queues"][0]["jobs"]["waiting"], 1);
    assert!(looks[0]["queues"][0]["per_second"].is_null());
    assert_eq!(looks[1]["queues"][0]["per_second"]["enqueued"], 0.0);
}
