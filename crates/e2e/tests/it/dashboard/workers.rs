//! A worker dies while somebody watches.

use protocol::{JobOptions, JobState};
use serde_json::json;

use super::rig::{Rig, says};
use crate::browser::Look;

#[tokio::test]
async fn a_worker_is_seen_to_die_and_its_jobs_to_come_back() {
    let mut rig = Rig::start(1, &["--lease-ms=1000"], &[]).await;
    let work = json!({"chunks": 400, "pause_ms": 50});
    let job = rig
        .submit("stream", work.clone(), JobOptions::default())
        .await;
    rig.fill(3, "stream", &work, &JobOptions::default()).await;
    rig.until_count(JobState::Active, 4).await;
    rig.open("workers", Look::DESK).await;
    let runs = format!("document.querySelector('.worker:not(.dead) a[href$=\"{job}\"]')");
    rig.browser.until(&runs).await;
    rig.browser.screenshot("dashboard-worker-alive").await;

    rig.system.workers[0].kill();
    rig.browser
        .until("document.querySelector('.worker.dead')")
        .await;
    rig.browser
        .until(&says(".worker.dead", "It has said nothing since"))
        .await;
    rig.browser.screenshot("dashboard-worker-dead").await;

    rig.system.add_worker(&[]);
    rig.browser.until(&runs).await;
    rig.browser.screenshot("dashboard-worker-other").await;
    rig.browser
        .click(&format!(".worker:not(.dead) a[href$=\"{job}\"]"))
        .await;
    rig.browser
        .until("document.querySelectorAll('.spans .attempt').length === 2")
        .await;
    rig.browser
        .until(&says(".spans", "stopped renewing its lease"))
        .await;
    rig.browser
        .until("+document.getElementById('output').dataset.pieces >= 5")
        .await;
    rig.browser.screenshot("dashboard-worker-job").await;
    // What was put out before is there, but void.
    rig.browser
        .until(&says("details.void summary", "Attempt 1, void"))
        .await;
    rig.browser.click("#do-cancel").await;
    rig.browser
        .until("document.querySelector('#state[data-state=cancelled]')")
        .await;
    assert_eq!(rig.browser.complaints().await, [""; 0]);
}
