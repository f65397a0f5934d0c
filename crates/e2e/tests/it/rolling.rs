//! All servers and workers restarted while clients follow streams.

use e2e::rolling::{Plan, run};

#[tokio::test]
async fn a_rolling_restart_loses_and_doubles_nothing_for_a_client() {
    let verdict = run(Plan {
        servers: 3,
        workers: 3,
        clients: 24,
        channels: 4,
        drain_ms: 500,
        rate: 20,
    })
    .await
    .unwrap();
    assert!(verdict.events > 1_000, "{verdict:#?}");
    assert_eq!(verdict.wrongs(), Vec::<String>::new(), "{verdict:#?}");
}
