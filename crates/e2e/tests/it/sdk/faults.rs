//! Processes that are killed in the middle of a stream: the client ends with all of the output, in order.

use e2e::Process;

use super::{
    followed::{Following, Report},
    rig,
    runtime::Runtime,
};

const CHUNKS: u32 = 120;

/// Kills a server, a worker and Redis, one after the other, while a job streams.
async fn killed_in_turn(runtime: Runtime, by_server: bool) {
    let mut rig = rig(2, &[]).await;
    let system = &mut rig.system;
    let ports: Vec<_> = system.servers.iter().map(Process::port).collect();
    let mut client = Following::start(runtime, ports[0], by_server, (CHUNKS, 20)).await;
    client.script.until("chunk", 10).await;
    client.lead_to(ports[1]);
    system.servers[0].kill();
    client.script.until("subscribed", 2).await;
    client.script.until("chunk", 20).await;
    system.workers[0].kill();
    system.add_worker(&[]);
    client.script.until("started", 2).await;
    client.script.until("chunk", 1).await;
    system.redis.kill();
    system.redis.run().await;
    let report: Report = client.script.report().await;
    report.assert_complete();
    assert_eq!(report.end["type"], "completed", "{:?}", report.end);
    assert_eq!(report.output.len(), CHUNKS as usize);
    assert!(
        report.attempts.starts_with(&[1, 2]),
        "{:?}",
        report.attempts
    );
    assert!(
        report.events > CHUNKS as usize + 3,
        "the first attempt put something out"
    );
}

#[tokio::test]
async fn node_gets_all_of_the_output_whatever_is_killed() {
    killed_in_turn(Runtime::Node, false).await;
}

#[tokio::test]
async fn node_gets_all_where_the_server_subscribed_it() {
    killed_in_turn(Runtime::Node, true).await;
}

#[tokio::test]
async fn python_gets_all_of_the_output_whatever_is_killed() {
    killed_in_turn(Runtime::Python, false).await;
}

#[tokio::test]
async fn python_gets_all_where_the_server_subscribed_it() {
    killed_in_turn(Runtime::Python, true).await;
}

/// Asks a server to stop while a job streams: its client goes on at another.
async fn sent_away(runtime: Runtime, by_server: bool) {
    let mut rig = rig(2, &["--drain-window-ms=200"]).await;
    let system = &mut rig.system;
    let ports: Vec<_> = system.servers.iter().map(Process::port).collect();
    let mut client = Following::start(runtime, ports[0], by_server, (CHUNKS, 20)).await;
    client.script.until("chunk", 10).await;
    client.lead_to(ports[1]);
    system.servers[0].terminate().await;
    let report: Report = client.script.report().await;
    report.assert_complete();
    assert_eq!(report.end["type"], "completed", "{:?}", report.end);
    assert_eq!(
        (report.output.len(), report.attempts),
        (CHUNKS as usize, vec![1])
    );
    assert_eq!(report.subscribed, 2);
}

#[tokio::test]
async fn node_goes_on_elsewhere_when_its_server_stops() {
    sent_away(Runtime::Node, false).await;
}

#[tokio::test]
async fn python_goes_on_elsewhere_when_its_server_stops() {
    sent_away(Runtime::Python, true).await;
}
