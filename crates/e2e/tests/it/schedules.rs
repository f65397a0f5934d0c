//! Managers that are killed while schedules run.

use std::time::Duration;

use e2e::schedules::{Trial, run};

#[tokio::test]
async fn each_run_happens_once_while_managers_are_killed() {
    let outcome = run(Trial {
        schedules: 40,
        every_secs: 2,
        managers: 3,
        lasts: Duration::from_secs(8),
        calm: Duration::from_millis(600),
        seed: 7,
    })
    .await
    .unwrap();
    assert!(outcome.kills > 3, "{outcome:?}");
    assert!(
        outcome.verdict.is_right(),
        "{}",
        outcome.verdict.lines().join("\n")
    );
}
