//! The manager as a process.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use broker::testing::{TestRedis, until};
use nix::sys::signal::Signal;
use protocol::JobOptions;

use crate::rig::{Answer, Process, Rig, binary};

/// A GET: status and body.
fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        body.to_owned(),
    )
}

/// A manager on a free port, and the port, which it logs.
async fn manager(rig: &Rig) -> (Process, String) {
    let mut command = rig.command(&["--listen", "127.0.0.1:0", "--interval-ms", "50"]);
    command.env("LOG_FORMAT", "json");
    let process = Process::start(command);
    let address = until("the manager says where it listens", async || {
        let log = process.err();
        let (_, rest) = log.split_once(r#""health":""#)?;
        Some(rest.split('"').next()?.to_owned())
    })
    .await;
    (process, address)
}

async fn until_status(address: &str, status: u16) {
    until("readiness changes", async || {
        (get(address, "/readyz").0 == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_manager_outlives_redis() {
    let mut rig = Rig::over(TestRedis::stopped(&[]), "outlives");
    let (mut process, address) = manager(&rig).await;
    until("it says that Redis is away", async || {
        process.err().contains("can't be reached").then_some(())
    })
    .await;
    assert_eq!(get(&address, "/livez").0, 200);
    let (status, body) = get(&address, "/readyz");
    assert_eq!(
        (status, body.as_str()),
        (503, r#"{"checks":{"redis":false},"ready":false}"#)
    );
    assert!(get(&address, "/metrics").1.contains("\nredis_up 0\n"));

    rig.server.run().await;
    until_status(&address, 200).await;
    let later = JobOptions {
        delay_ms: 1,
        ..JobOptions::default()
    };
    let id = rig.submit("chat", "done", "1", later).await;
    rig.until_state("chat", id, "waiting").await;
    until("the depth is measured", async || {
        let shown = get(&address, "/metrics").1;
        shown
            .contains("queue_jobs{queue=\"chat\",state=\"waiting\"} 1\n")
            .then_some(())
    })
    .await;

    rig.server.kill();
    until_status(&address, 503).await;
    rig.server.run().await;
    until_status(&address, 200).await;
    // Each outage is said once, and its end too.
    assert_eq!(
        process.err().matches("condition not met").count(),
        2,
        "{}",
        process.err()
    );
    assert_eq!(
        process.err().matches("condition met").count(),
        2,
        "{}",
        process.err()
    );

    process.signal(Signal::SIGTERM);
    let (status, time) = process.ended().await;
    assert!(status.success(), "{}", process.err());
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[tokio::test]
async fn a_manager_stops_promptly_while_redis_does_not_answer() {
    let rig = Rig::start("stalled").await;
    let (mut process, address) = manager(&rig).await;
    until_status(&address, 200).await;
    rig.server.stall();
    process.signal(Signal::SIGTERM);
    let (status, time) = process.ended().await;
    rig.server.resume();
    assert!(status.success(), "{}", process.err());
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[tokio::test]
async fn an_idle_manager_sends_few_commands() {
    let rig = Rig::start("idle").await;
    rig.submit("chat", "done", "1", JobOptions::default()).await;
    let mut command = rig.command(&["--listen", "127.0.0.1:0"]);
    command.env("LOG_FORMAT", "json");
    let process = Process::start(command);
    let rounds = async || {
        let stats: String = rig.server.command(&["INFO", "commandstats"]).await;
        calls(&stats, "evalsha")
    };
    until("it has begun", async || (rounds().await >= 1).then_some(())).await;
    let before: String = rig.server.command(&["INFO", "commandstats"]).await;
    let first = calls(&before, "evalsha");
    // Rounds are a second apart, those of maintenance as those of schedules.
    until("six rounds of each are over", async || {
        (rounds().await >= first + 12).then_some(())
    })
    .await;
    let after: String = rig.server.command(&["INFO", "commandstats"]).await;
    // A round is one script; a look is a list of the queues, and for maintenance seven commands for the only one.
    let looks = calls(&after, "smembers") - calls(&before, "smembers");
    assert!(looks >= 1, "a look every few seconds");
    assert!(looks <= 6, "{looks} looks in 6 s");
    drop(process);
}

fn calls(stats: &str, command: &str) -> u64 {
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|rest| rest.split(',').next()?.parse().ok())
        .unwrap_or(0)
}

#[test]
fn a_manager_does_not_listen_to_the_world_unasked() {
    let answer = Answer::of(binary(&["--listen", "0.0.0.0:0"]).output().unwrap());
    assert!(answer.complaint(1).contains("--insecure"), "{answer:?}");
}
