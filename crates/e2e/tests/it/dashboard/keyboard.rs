//! The dashboard without a mouse.

use super::rig::{Rig, says};
use crate::browser::Look;

async fn keys(rig: &mut Rig, keys: &[&str]) {
    for key in keys {
        rig.browser.press(key).await;
    }
}

#[tokio::test]
async fn the_keyboard_gets_everywhere() {
    let mut rig = Rig::start(1, &[], &[]).await;
    rig.fill_a_little().await;
    rig.open("", Look::DESK).await;
    rig.browser.until(&says("main", "Newest failures")).await;
    for (letter, heading) in [
        ("q", "Queues"),
        ("f", "Failed jobs"),
        ("w", "Workers"),
        ("t", "Tenants"),
        ("r", "Redis"),
        ("o", "Overview"),
        ("j", "Jobs of chat"),
    ] {
        keys(&mut rig, &["g", letter]).await;
        rig.browser
            .until(&format!(
                "document.querySelector('h1')?.textContent === {heading:?}"
            ))
            .await;
    }
    keys(&mut rig, &["?"]).await;
    rig.browser.until(&says("dialog", "Keyboard")).await;
    rig.browser.screenshot("dashboard-keyboard").await;
    keys(&mut rig, &["Escape"]).await;
    rig.browser.until("!document.querySelector('dialog')").await;

    rig.go("queues/chat/jobs?state=failed").await;
    rig.browser
        .until("document.querySelectorAll('tbody tr').length === 21")
        .await;
    keys(&mut rig, &["j", "j", "x"]).await;
    rig.browser.until(&says(".selection", "1 job chosen")).await;
    keys(&mut rig, &["k", "x"]).await;
    rig.browser
        .until(&says(".selection", "2 jobs chosen"))
        .await;
    rig.browser.screenshot("dashboard-chosen").await;
    keys(&mut rig, &["/"]).await;
    rig.browser
        .until("document.activeElement.id === 'filter-text'")
        .await;
    rig.browser.write("10.0.0.7").await;
    rig.browser
        .until("document.querySelectorAll('tbody tr').length === 8")
        .await;
    // It is written in still.
    rig.browser
        .until("document.activeElement.id === 'filter-text'")
        .await;
    keys(&mut rig, &["Escape", "j", "Enter"]).await;
    rig.browser
        .until("document.querySelector('#state[data-state=failed]')")
        .await;
    rig.browser.ask("history.back()").await;
    rig.browser
        .until("document.getElementById('filter-text')?.value === '10.0.0.7'")
        .await;
    assert_eq!(rig.browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn colours_are_a_choice_that_is_kept() {
    let mut rig = Rig::start(1, &[], &[]).await;
    rig.open("redis", Look::DESK).await;
    let ground = "getComputedStyle(document.querySelector('.side')).backgroundColor";
    let light = rig.browser.ask(ground).await;
    // As the system, light, dark.
    rig.browser.click("#theme").await;
    rig.browser.click("#theme").await;
    let dark = rig.browser.ask(ground).await;
    assert_ne!(light, dark);
    rig.reload().await;
    rig.browser
        .until("document.getElementById('theme').title === 'Colours: dark'")
        .await;
    assert_eq!(rig.browser.ask(ground).await, dark);
}
