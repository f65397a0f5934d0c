//! The dashboard without a token, without Redis, without the manager; and with texts that would like to be more.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use e2e::faults::link::Link;
use protocol::JobOptions;
use serde_json::json;
use tokio_util::task::TaskTracker;

use super::rig::{LIVE, MARKUP, Rig, says};
use crate::browser::Look;

const TOKEN: &str = "only-for-the-tests-of-the-dashboard";

#[tokio::test]
async fn a_token_is_asked_for_and_kept_for_as_long_as_the_tab() {
    let mut rig = Rig::start(1, &[], &[&format!("--admin-token={TOKEN}")]).await;
    rig.fill_a_little().await;
    let url = format!("http://127.0.0.1:{}/#/redis", rig.system.managers[0].port());
    rig.browser.open(&url, Look::DESK).await;
    rig.browser
        .until("document.activeElement.id === 'token'")
        .await;
    rig.browser.screenshot("dashboard-token").await;
    rig.browser.write("this is not the token").await;
    rig.browser.press("Enter").await;
    rig.browser
        .until(&says("#token-wrong", "That token was refused"))
        .await;
    rig.browser
        .until("document.activeElement.id === 'token'")
        .await;
    rig.browser.screenshot("dashboard-token-wrong").await;
    rig.browser.write(TOKEN).await;
    rig.browser.press("Enter").await;
    // It goes on where it was headed for.
    rig.browser.until(&says("main", "noeviction")).await;
    rig.browser.until(LIVE).await;
    let kept = "[JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage}), document.cookie, location.search]";
    let tab = json!({"admin-token": TOKEN}).to_string();
    assert_eq!(rig.browser.ask(kept).await, json!(["{}", tab, "", ""]));
    rig.reload().await;
    rig.browser.until(&says("main", "noeviction")).await;
}

#[tokio::test]
async fn redis_is_said_to_be_away_and_it_comes_back_by_itself() {
    let mut rig = Rig::start(1, &[], &[]).await;
    rig.fill_a_little().await;
    rig.open("", Look::DESK).await;
    rig.browser.until(&says("main", "Newest failures")).await;
    rig.system.redis.kill();
    rig.browser
        .until("!document.getElementById('banner').hidden")
        .await;
    rig.browser.until(&says("#banner", "Redis is away")).await;
    rig.browser.screenshot("dashboard-redis-away").await;
    // A page that is opened meanwhile says so, too, and is there once Redis is.
    rig.go("redis").await;
    rig.browser
        .until(&says("main .trouble", "Redis is away"))
        .await;
    rig.browser.screenshot("dashboard-redis-away-page").await;
    rig.system.redis.run().await;
    rig.browser.until(LIVE).await;
    rig.browser
        .until("document.getElementById('banner').hidden")
        .await;
    rig.browser.until(&says("main", "noeviction")).await;
}

#[tokio::test]
async fn a_manager_that_is_gone_is_waited_for() {
    let mut rig = Rig::start(1, &[], &[]).await;
    rig.fill_a_little().await;
    let behind = Arc::new(AtomicU16::new(rig.system.managers[0].port()));
    let link = Link::start(Arc::clone(&behind), &TaskTracker::new()).await;
    let link = link.unwrap();
    let url = format!(
        "http://127.0.0.1:{}/#/queues/chat/jobs?state=failed",
        link.port()
    );
    rig.browser.open(&url, Look::DESK).await;
    rig.browser.until(LIVE).await;
    rig.browser
        .until("document.querySelectorAll('tbody tr').length === 21")
        .await;
    rig.system.managers[0].kill();
    rig.browser.until(&says("#banner", "does not answer")).await;
    rig.browser.until(&says("#link", "Away")).await;
    rig.browser.screenshot("dashboard-manager-away").await;
    // What is shown stays, and what changed meanwhile is shown once there is a manager.
    let once = JobOptions {
        max_attempts: 1,
        ..JobOptions::default()
    };
    rig.submit("panic", json!("while nobody looked"), once)
        .await;
    assert_eq!(
        rig.browser
            .ask("document.querySelectorAll('tbody tr').length")
            .await,
        21
    );
    let manager = rig.system.add_manager();
    manager.until_ready(200).await;
    behind.store(manager.port(), Ordering::Relaxed);
    rig.browser
        .until("document.getElementById('banner').hidden")
        .await;
    rig.browser.until(LIVE).await;
    rig.browser
        .until("document.querySelectorAll('tbody tr').length === 22")
        .await;
}

#[tokio::test]
async fn what_looks_like_markup_is_text() {
    let mut rig = Rig::start(1, &[], &[]).await;
    rig.fill_a_little().await;
    rig.open("errors", Look::DESK).await;
    rig.browser
        .until(&says("main", "<img src=x onerror=alert(#)>"))
        .await;
    rig.browser.screenshot("dashboard-markup-errors").await;
    rig.go("queues/chat/jobs?state=failed&text=onerror").await;
    rig.browser.until(&says("tbody", MARKUP)).await;
    rig.browser.click("tbody tr a").await;
    rig.browser.until(&says(".block.bad", MARKUP)).await;
    rig.browser.until(&says("main", "Payload")).await;
    rig.browser.screenshot("dashboard-markup-job").await;
    // An address is from elsewhere as well.
    for page in [
        MARKUP,
        &format!("jobs/{MARKUP}"),
        &format!("queues/{MARKUP}"),
        &format!("queues/chat/jobs?state=failed&text={MARKUP}"),
    ] {
        rig.go(page).await;
        rig.browser
            .until("document.querySelector('main').textContent.length > 10")
            .await;
    }
    rig.browser.until(&says("tbody", MARKUP)).await;
    assert_eq!(
        rig.browser
            .ask("document.querySelectorAll('main img, main script, main b').length")
            .await,
        0
    );
    // What does not exist is answered with 404, which a browser writes down.
    let mut complaints = rig.browser.complaints().await;
    complaints.retain(|complaint| !complaint.contains("404") && !complaint.contains("400"));
    assert_eq!(complaints, [""; 0]);
}
