//! `queue top` on a terminal.

use std::time::Duration;

use broker::testing::{TestRedis, until};
use nix::sys::signal::Signal;
use protocol::JobOptions;

use crate::{
    rig::{Rig, Worker, name},
    terminal::Terminal,
};

const TOP: [&str; 3] = ["top", "--interval", "100ms"];

#[tokio::test]
async fn an_operator_sees_the_queues_and_acts_on_them() {
    let rig = Rig::start("top").await;
    let worker = Worker::start(&rig, "chat", Duration::from_secs(10));
    let failed = rig
        .submit("chat", "fail", r#""no such file""#, JobOptions::default())
        .await;
    rig.until_state("chat", failed, "failed").await;
    let hanging = rig.submit("chat", "hang", "1", JobOptions::default()).await;
    rig.until_state("chat", hanging, "active").await;
    let mut terminal = Terminal::start(rig.command(&TOP), 120, 30);
    for text in [
        "prefix top",
        "QUEUES 1",
        "WORKERS 1",
        "ACTIVE in chat 1",
        "FAILED in chat 1",
        "no such file",
        &hanging.to_string(),
    ] {
        terminal.shows(text).await;
    }
    assert!(terminal.has_colour());

    terminal.press("p");
    terminal.shows("Pause chat?").await;
    assert!(!rig.inspector.settings(&name("chat")).await.unwrap().paused);
    terminal.press("y");
    terminal.shows("chat paused").await;
    assert!(rig.inspector.settings(&name("chat")).await.unwrap().paused);

    // Back to the panel of failed jobs, as a terminal says Shift and Tab.
    terminal.press("\u{1b}[Z\r");
    terminal.shows("Attempts  1 of 5").await;
    terminal.press("ry");
    terminal.shows("waits again").await;
    rig.until_state("chat", failed, "waiting").await;

    terminal.resize(60, 12);
    terminal.shows("FAILED in chat 0").await;
    until("only one panel is left", async || {
        (!terminal.screen().contains("WORKERS")).then_some(())
    })
    .await;
    terminal.press("q");
    assert!(terminal.left().await.success());
    worker.kill();
}

#[tokio::test]
async fn an_outage_is_shown_and_gone_through() {
    let mut rig = Rig::over(TestRedis::stopped(&[]), "top-away");
    let mut command = rig.command(&TOP);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(command, 120, 24);
    terminal.shows("can't be reached").await;
    terminal.press("?");
    terminal.shows("the next panel").await;
    terminal.press("x");
    rig.server.run().await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    terminal.shows("QUEUES 1").await;
    assert!(!terminal.has_colour());
    rig.server.kill();
    terminal.shows("trying again").await;
    // What was seen stays.
    terminal.shows("QUEUES 1").await;
    // Ctrl-C, which a terminal that is read key by key makes no signal of.
    terminal.press("\u{3}");
    assert!(terminal.left().await.success());
}

#[tokio::test]
async fn a_signal_gives_the_terminal_back() {
    let rig = Rig::start("top-signal").await;
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut terminal = Terminal::start(rig.command(&TOP), 80, 24);
        terminal.shows("QUEUES 0").await;
        terminal.signal(signal);
        assert!(terminal.left().await.success(), "{signal}");
    }
    // Also while Redis does not answer.
    rig.server.stall();
    let mut terminal = Terminal::start(rig.command(&TOP), 80, 24);
    terminal.shows("queue top").await;
    terminal.press("q");
    assert!(terminal.left().await.success());
    rig.server.resume();
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let answer = crate::rig::Answer::of(crate::rig::binary(&["top"]).output().unwrap());
    assert!(answer.complaint(2).contains("queue watch"), "{answer:?}");
    assert_eq!(answer.out, "");
}
