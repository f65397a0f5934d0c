//! A connection that is cut again and again while events come: nothing is missing, doubled or out of order.

use e2e::Process;

use super::{followed::Following, followed::Report, rig, runtime::Runtime};

/// Cuts a client's connection so often, as soon as it is subscribed or a moment later, and leads it to the other server.
async fn storm(runtime: Runtime, by_server: bool, cuts: u64) {
    let rig = rig(2, &[]).await;
    let ports: Vec<_> = rig.system.servers.iter().map(Process::port).collect();
    let mut client = Following::start(runtime, ports[0], by_server, (1_000_000, 3)).await;
    for cut in 1..=cuts {
        client.script.until("subscribed", cut).await;
        if cut % 3 == 0 {
            client.script.until("chunk", 1).await;
        }
        client.lead_to(ports[usize::from(cut % 2 == 1)]);
        client.cut();
    }
    client.script.until("subscribed", cuts + 1).await;
    client.script.say("cancel");
    let report: Report = client.script.report().await;
    report.assert_complete();
    assert_eq!(report.end["type"], "cancelled");
    assert!(report.subscribed > cuts, "{}", report.subscribed);
    // More came than connections went: it was a stream.
    assert!(
        report.output.len() as u64 > cuts / 2,
        "{}",
        report.output.len()
    );
    assert_eq!((report.types["queued"], report.types["started"]), (1, 1));
    assert_eq!(report.events, report.output.len() + 3);
}

#[tokio::test]
async fn node_comes_back_a_thousand_times_and_misses_nothing() {
    storm(Runtime::Node, false, 1_000).await;
}

#[tokio::test]
async fn node_comes_back_where_the_server_subscribed_it() {
    storm(Runtime::Node, true, 100).await;
}

#[tokio::test]
async fn python_comes_back_a_hundred_times_and_misses_nothing() {
    storm(Runtime::Python, false, 100).await;
}

#[tokio::test]
async fn python_comes_back_where_the_server_subscribed_it() {
    storm(Runtime::Python, true, 50).await;
}
