//! Schedules on the dashboard.

use protocol::JobState;

use super::rig::{Rig, says};
use crate::browser::Look;

/// Puts a text in the place of what is in a field.
async fn fill(rig: &mut Rig, field: &str, text: &str) {
    rig.browser.click(field).await;
    let all = format!("document.querySelector({field:?}).select()");
    rig.browser.ask(&all).await;
    rig.browser.write(text).await;
}

#[tokio::test]
async fn a_schedule_is_made_run_paused_deleted_and_there_again() {
    let mut rig = Rig::start(1, &[], &[]).await;
    rig.fill_a_little().await;
    rig.open("schedules", Look::DESK).await;
    rig.browser
        .until(&says("main", "Nothing is handed in by the clock."))
        .await;
    rig.browser.screenshot("dashboard-schedules-none").await;
    rig.browser.click("#schedule-new").await;
    fill(&mut rig, "#schedule-name", "hourly").await;
    fill(&mut rig, "#schedule-kind", "chat").await;
    fill(&mut rig, "#schedule-payload", r#"{"msg": "on the hour"}"#).await;
    fill(&mut rig, "#schedule-cron", "0 0 * * * *").await;
    rig.browser.screenshot("dashboard-schedule-form").await;
    rig.browser.click("dialog button[type=submit]").await;
    rig.browser.until(&says("tbody", "hourly")).await;

    rig.browser.click("[data-part=run]").await;
    rig.until_count(JobState::Completed, 41).await;
    rig.browser.click("[data-part=pause]").await;
    rig.browser.until(&says("tbody", "Paused")).await;
    rig.browser.screenshot("dashboard-schedules").await;

    rig.browser.click("[data-part=delete]").await;
    rig.browser.until(&says("dialog", "Delete hourly?")).await;
    rig.browser.click("#dialog-yes").await;
    rig.browser
        .until(&says("main", "Nothing is handed in by the clock."))
        .await;
    let undo = ".toast:last-child button.quiet";
    rig.browser
        .until(&says(".toast:last-child", "hourly was deleted."))
        .await;
    rig.browser.click(undo).await;
    rig.browser.until(&says("tbody", "hourly")).await;
    // As it was.
    rig.browser.until(&says("tbody", "Paused")).await;
    assert_eq!(rig.browser.complaints().await, [""; 0]);
}
