//! What every page looks like: light and dark, on a desk and on a phone.

use protocol::JobOptions;
use serde_json::json;

use super::rig::{LIVE, Rig, says};
use crate::browser::Look;

const LOOKS: [(&str, Look); 4] = [
    ("light", Look::DESK),
    ("dark", Look::DESK.dark()),
    ("phone-light", Look::PHONE),
    ("phone-dark", Look::PHONE.dark()),
];

#[tokio::test]
async fn every_page_fits_and_has_names() {
    let mut rig = Rig::start(2, &[], &[]).await;
    rig.fill_a_little().await;
    let runs = rig
        .submit(
            "stream",
            json!({"chunks": 5_000, "pause_ms": 100}),
            JobOptions::default(),
        )
        .await;
    let failed = rig
        .submit(
            "panic",
            json!("no route"),
            JobOptions {
                max_attempts: 1,
                ..JobOptions::default()
            },
        )
        .await;
    let pages = [
        ("overview", String::new(), "Newest failures"),
        ("overview-day", "?range=day".to_owned(), "Newest failures"),
        ("queues", "queues".to_owned(), "1 queue"),
        ("queue", "queues/chat".to_owned(), "Settings and totals"),
        ("jobs", "queues/chat/jobs?state=failed".to_owned(), "shown"),
        ("job-runs", format!("queues/chat/jobs/{runs}"), "Facts"),
        (
            "job-failed",
            format!("queues/chat/jobs/{failed}"),
            "Back-trace",
        ),
        ("errors", "errors".to_owned(), "Numbers and ids"),
        ("workers", "workers".to_owned(), "2 workers alive"),
        ("tenants", "tenants".to_owned(), "public"),
        ("schedules", "schedules".to_owned(), "nightly"),
        ("redis", "redis".to_owned(), "Persistence"),
        (
            "nowhere",
            "no/such/page".to_owned(),
            "There is no such page.",
        ),
    ];
    rig.open("schedules", Look::DESK).await;
    rig.put_schedule(
        "nightly",
        &json!({"cron": "0 30 2 * * *", "zone": "Europe/Berlin"}),
    )
    .await;
    rig.put_schedule("heartbeat", &json!({"every_ms": 60_000}))
        .await;
    for (name, look) in LOOKS {
        for (page, address, there) in &pages {
            rig.open(address, look).await;
            rig.go(address).await;
            rig.browser.until(LIVE).await;
            rig.browser.until(&says("main", there)).await;
            let too_wide = "document.documentElement.scrollWidth > innerWidth";
            assert_eq!(rig.browser.ask(too_wide).await, false, "{page} {name}");
            assert_eq!(rig.browser.nameless().await, [""; 0], "{page} {name}");
            rig.browser
                .screenshot(&format!("dashboard-{page}-{name}"))
                .await;
        }
    }
    assert_eq!(rig.browser.complaints().await, [""; 0]);
}
