//! An operator's walk over a queue of a hundred thousand jobs.

use e2e::System;
use protocol::{JobOptions, JobState};
use serde_json::json;

use super::rig::{Rig, says};
use crate::browser::Look;

const ALL: usize = 100_000;
const BROKEN: usize = 10_000;
const DONE: usize = 10_000;

#[tokio::test]
async fn a_failed_job_among_a_hundred_thousand_is_found_read_and_retried() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("welcome.html");
    let mend = |panics: bool, steps: u32| json!({"file": file, "panics": panics, "steps": steps, "pause_ms": 40});
    let mut rig = Rig::start(1, &[], &[]).await;
    let later = JobOptions {
        delay_ms: 3_600_000,
        ..JobOptions::default()
    };
    let once = JobOptions {
        max_attempts: 1,
        ..JobOptions::default()
    };
    rig.fill(DONE, "chat", &json!({"msg": "hi"}), &JobOptions::default())
        .await;
    rig.fill(BROKEN, "mend", &mend(false, 0), &once).await;
    rig.fill(
        ALL - DONE - BROKEN - 1,
        "chat",
        &json!({"msg": "later"}),
        &later,
    )
    .await;
    let wanted = rig.submit("mend", mend(true, 50), once).await;
    rig.until_count(JobState::Failed, BROKEN as u64 + 1).await;
    rig.until_count(JobState::Completed, DONE as u64).await;

    // It is found by its error.
    rig.open("", Look::DESK).await;
    rig.browser.until(&says("main", "79,999")).await;
    rig.browser.until(&says("main", "the template")).await;
    rig.browser.screenshot("dashboard-walk-overview").await;
    rig.browser.click("#nav a[href='#/errors']").await;
    rig.browser
        .until(&says("#errors-lead", "newest 2,000 of 10,001"))
        .await;
    rig.browser.screenshot("dashboard-walk-errors").await;
    rig.go("queues/chat/jobs?state=failed").await;
    rig.browser
        .until("document.querySelectorAll('tbody tr').length === 50")
        .await;
    rig.browser.click("#filter-text").await;
    rig.browser.write("the template").await;
    rig.browser
        .until("document.querySelectorAll('tbody tr').length === 1")
        .await;
    rig.browser.screenshot("dashboard-walk-found").await;
    rig.browser.click("tbody tr a").await;
    let at_job = format!("location.hash === '#/queues/chat/jobs/{wanted}'");
    rig.browser.until(&at_job).await;

    // Its back-trace is read.
    rig.browser
        .until("document.querySelector('details.trace')")
        .await;
    rig.browser.click("details.trace summary").await;
    rig.browser
        .until(&says("details.trace[open]", "test_worker::mends"))
        .await;
    rig.browser.screenshot("dashboard-walk-backtrace").await;

    // What was wrong is repaired, and the job is seen to complete.
    std::fs::write(&file, "Hello").unwrap();
    rig.browser.click("#do-retry").await;
    rig.browser
        .until("document.querySelector('#state[data-state=active]')")
        .await;
    rig.browser
        .until("+document.getElementById('output').dataset.pieces >= 5")
        .await;
    rig.browser.screenshot("dashboard-walk-runs").await;
    rig.browser
        .until("document.querySelector('#state[data-state=completed]')")
        .await;
    rig.browser.until(&says("#output", "step 50 of 50")).await;
    assert_eq!(rig.browser.text("#percent").await, "100 %");
    assert_eq!(
        rig.browser
            .ask("document.querySelectorAll('.spans .attempt').length")
            .await,
        2
    );
    rig.browser.screenshot("dashboard-walk-completed").await;

    // The others, by filter.
    rig.go("queues/chat/jobs?state=failed&error=error&kind=mend")
        .await;
    rig.browser.click("#all-retry").await;
    rig.browser
        .until(&says("dialog", "Retry 10,000 jobs?"))
        .await;
    rig.browser.screenshot("dashboard-walk-confirm").await;
    rig.browser.click("#dialog-yes").await;
    rig.browser
        .until("document.querySelector('.work progress')?.value > 0")
        .await;
    rig.browser.screenshot("dashboard-walk-progress").await;
    rig.browser
        .until("document.querySelector('.work[data-state=done]')")
        .await;
    rig.browser.until(&says(".work", "10,000 done")).await;
    rig.browser.screenshot("dashboard-walk-done").await;
    rig.until_count(JobState::Completed, (DONE + BROKEN) as u64 + 1)
        .await;
    rig.browser
        .until(&says("main", "No failed job matches."))
        .await;
    assert_eq!(rig.browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_queue_is_paused_and_goes_on() {
    let mut rig = Rig::start(1, &[], &[]).await;
    rig.fill_a_little().await;
    rig.open("queues/chat", Look::DESK).await;
    rig.browser.click("#pause").await;
    rig.browser.until(&says(".head", "Paused")).await;
    let paused = async |rig: &Rig| {
        rig.inspector
            .settings(&System::chat())
            .await
            .unwrap()
            .paused
    };
    assert!(paused(&rig).await);
    let waits = rig
        .submit("chat", json!({"msg": "held"}), JobOptions::default())
        .await;
    rig.go(&format!("queues/chat/jobs/{waits}")).await;
    rig.browser
        .until("document.querySelector('#state[data-state=waiting]')")
        .await;
    rig.browser.screenshot("dashboard-paused-job").await;
    // The notice says what was done, and undoes it.
    rig.browser.click(".toast button.quiet").await;
    rig.browser
        .until("document.querySelector('#state[data-state=completed]')")
        .await;
    assert!(!paused(&rig).await);
    assert_eq!(rig.browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn what_is_destructive_says_so_and_what_can_be_undone_is() {
    let mut rig = Rig::start(1, &[], &[]).await;
    let later = JobOptions {
        delay_ms: 3_600_000,
        ..JobOptions::default()
    };
    rig.fill(1_200, "chat", &json!({"msg": "later"}), &later)
        .await;

    // A deletion is sent late, and not at all if it is undone.
    rig.open("queues/chat/jobs?state=delayed", Look::DESK).await;
    rig.browser.click("tbody tr a").await;
    rig.browser.click("#do-delete").await;
    rig.browser
        .until(&says(".toast", "will be deleted in 5 seconds"))
        .await;
    rig.browser.screenshot("dashboard-delete-undo").await;
    rig.browser.click(".toast button.quiet").await;
    rig.browser
        .until(&says("#toasts", "Nothing was deleted."))
        .await;
    assert_eq!(rig.count(JobState::Delayed).await, 1_200);

    // All are cancelled, and that is undone.
    rig.go("queues/chat/jobs?state=delayed").await;
    rig.browser.click("#all-cancel").await;
    rig.browser
        .until(&says("dialog", "Cancel 1,200 jobs?"))
        .await;
    rig.browser.click("#dialog-yes").await;
    rig.browser
        .until(&says(".work[data-state=done]", "1,200 done"))
        .await;
    rig.until_count(JobState::Cancelled, 1_200).await;
    rig.control.pause(&System::chat(), true).await.unwrap();
    rig.browser.click(".work .choices button").await;
    rig.browser
        .until(&says("dialog", "Retry 1,200 jobs?"))
        .await;
    rig.browser.click("#dialog-yes").await;
    rig.until_count(JobState::Waiting, 1_200).await;

    // To delete so many, the number has to be typed.
    rig.go("queues/chat/jobs?state=waiting").await;
    rig.browser.click("#all-delete").await;
    rig.browser
        .until(&says("dialog", "Nothing brings them back."))
        .await;
    rig.browser
        .until("document.getElementById('dialog-yes').disabled")
        .await;
    rig.browser.screenshot("dashboard-delete-typed").await;
    rig.browser.click("#dialog-typed").await;
    rig.browser.write("1200").await;
    rig.browser.click("#dialog-yes").await;
    rig.until_count(JobState::Waiting, 0).await;
    assert_eq!(rig.browser.complaints().await, [""; 0]);
}
