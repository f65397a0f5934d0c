//! The page at `/`, in a real browser: what is seen is judged as its reader sees it.

use e2e::{Settings, System};
use serde_json::{Value, json};

use crate::browser::{Browser, Look};

/// Signed with [`SECRET`], for the user `ada`, without an end.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEifQ.gtJ2r36JTvnf8kYZsYXT2AczvemEgP6wDgEbXfuOQzo";
const SECRET: &str = "only-for-the-tests-of-the-page-000";

const CHAT_OPEN: &str = "document.getElementById('chat-state').dataset.state === 'open'";
const SESSION_OPEN: &str = "document.getElementById('session-state').dataset.state === 'open'";
/// The frames of the chat so far.
const FRAMES: &str =
    "[...document.querySelectorAll('#chat-log [data-frame]')].map(e => e.dataset.frame)";
/// The numbers of the chunks so far, as they came.
const CHUNKS: &str =
    "[...document.querySelectorAll('#job-events [data-n]')].map(e => +e.dataset.n)";
/// The offsets of the events so far, as they came.
const OFFSETS: &str =
    "[...document.querySelectorAll('#job-events [data-offset]')].map(e => +e.dataset.offset)";

async fn opened(settings: Settings, look: Look) -> (System, Browser) {
    let (system, mut browser) = tokio::join!(System::start(settings), Browser::start());
    let url = format!("http://127.0.0.1:{}/", system.servers[0].port());
    browser.open(&url, look).await;
    (system, browser)
}

/// Fills in the form, and runs.
async fn run(browser: &mut Browser, steps: u32, pause_ms: u32) {
    for (field, number) in [("#job-steps", steps), ("#job-pause", pause_ms)] {
        browser.click(field).await;
        let all = format!("document.querySelector({field:?}).select()");
        browser.ask(&all).await;
        browser.write(&number.to_string()).await;
    }
    browser.click("#job-run").await;
}

async fn became(browser: &mut Browser, state: &str) {
    let is = format!("document.getElementById('job').dataset.state === {state:?}");
    browser.until(&is).await;
}

async fn at_least(browser: &mut Browser, list: &str, count: usize) {
    browser.until(&format!("{list}.length >= {count}")).await;
}

fn dense(count: usize) -> Value {
    (1..=count).collect()
}

#[tokio::test]
async fn a_message_is_sent_and_both_its_frames_are_seen() {
    let (mut system, mut browser) = opened(Settings::default(), Look::DESK).await;
    browser.until(CHAT_OPEN).await;
    browser.screenshot("chat-empty").await;
    browser.click("#chat-text").await;
    browser.write("hi I am here :)").await;
    browser.press("Enter").await;
    at_least(&mut browser, FRAMES, 2).await;
    let frames = browser.ask(FRAMES).await;
    assert_eq!(frames[0], "hi I am here :)");
    let result: Value = serde_json::from_str(frames[1].as_str().unwrap()).unwrap();
    assert_eq!(result["msg"], "hi I am here :)");
    assert!(result["time"].is_u64());
    assert_eq!(result.as_object().unwrap().len(), 2);
    // As a person reads them.
    assert_eq!(browser.text("#chat-log .text p").await, "hi I am here :)");
    assert_eq!(browser.text("#chat-log .result p").await, "hi I am here :)");
    assert_eq!(browser.text("#chat-log .kind").await, "text");
    browser.screenshot("chat").await;
    // What looks like markup is text.
    browser.write("<img src=x onerror=alert(1)>").await;
    browser.press("Enter").await;
    at_least(&mut browser, FRAMES, 4).await;
    assert_eq!(browser.ask("document.images.length").await, 0);
    assert_eq!(browser.complaints().await, [""; 0]);

    // A server that is gone is said to be gone.
    system.servers[0].kill();
    for panel in ["chat", "session"] {
        let gone = format!("document.getElementById('{panel}-alert').textContent.includes('1006')");
        browser.until(&gone).await;
    }
    browser.screenshot("server-gone").await;
}

#[tokio::test]
async fn a_job_is_run_to_its_end_and_another_is_cancelled() {
    let (_system, mut browser) = opened(Settings::default(), Look::DESK.dark()).await;
    browser.until(SESSION_OPEN).await;
    run(&mut browser, 25, 20).await;
    became(&mut browser, "completed").await;
    assert_eq!(browser.ask(CHUNKS).await, dense(25));
    // Queued, started, each step with how far it is, completed.
    assert_eq!(browser.ask(OFFSETS).await, dense(2 + 25 * 2 + 1));
    assert_eq!(browser.text("#job-state").await, "Completed");
    assert_eq!(browser.text("#job-percent").await, "100 %");
    assert!(
        browser
            .text("#job-output")
            .await
            .starts_with("Each of these words")
    );
    assert_eq!(browser.text("#job-offset").await, "53");
    assert_eq!(browser.text("#job-events .end .type").await, "completed");
    browser.screenshot("job-completed-dark").await;

    run(&mut browser, 500, 2000).await;
    became(&mut browser, "active").await;
    at_least(&mut browser, CHUNKS, 1).await;
    browser.click("#job-cancel").await;
    became(&mut browser, "cancelled").await;
    assert_eq!(browser.text("#job-state").await, "Cancelled");
    assert_eq!(browser.text("#job-events .end .type").await, "cancelled");
    assert_eq!(
        browser
            .ask("document.getElementById('job-cancel').disabled")
            .await,
        true
    );
    browser.screenshot("job-cancelled-dark").await;
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_connection_that_is_cut_resumes_with_nothing_missing_or_doubled() {
    let (_system, mut browser) = opened(Settings::default(), Look::DESK).await;
    browser.until(SESSION_OPEN).await;
    run(&mut browser, 200, 50).await;
    for cut in 1..=2 {
        let seen = browser.ask(CHUNKS).await.as_array().unwrap().len();
        at_least(&mut browser, CHUNKS, seen + 5).await;
        browser.click("#job-cut").await;
        browser
            .until("document.getElementById('session-state').dataset.state === 'closed'")
            .await;
        browser.screenshot(&format!("cut-{cut}-away")).await;
        let away = browser.ask(CHUNKS).await;
        browser.until(SESSION_OPEN).await;
        let back =
            format!("document.querySelectorAll('#job-events .recovered[data-n]').length >= {cut}0");
        browser.until(&back).await;
        browser.screenshot(&format!("cut-{cut}-back")).await;
        assert!(
            away.as_array().unwrap().len() < 200,
            "it was cut in the middle"
        );
    }
    became(&mut browser, "completed").await;
    assert_eq!(browser.ask(CHUNKS).await, dense(200));
    let last = browser.text("#job-offset").await.parse().unwrap();
    assert_eq!(browser.ask(OFFSETS).await, dense(last));
    assert_eq!(browser.text("#job-missing").await, "0");
    assert_eq!(browser.text("#job-twice").await, "0");
    browser.screenshot("cut-completed").await;
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_worker_that_is_lost_leaves_nothing_of_its_attempt_in_the_output() {
    let worker = vec!["--lease-ms=1000".to_owned()];
    let settings = Settings {
        worker,
        ..Settings::default()
    };
    let (mut system, mut browser) = opened(settings, Look::DESK).await;
    browser.until(SESSION_OPEN).await;
    run(&mut browser, 60, 30).await;
    at_least(&mut browser, CHUNKS, 10).await;
    system.workers[0].kill();
    let lost = browser.ask(CHUNKS).await.as_array().unwrap().len();
    system.add_worker(&[]);
    became(&mut browser, "completed").await;
    let words = "document.getElementById('job-output').childElementCount";
    assert_eq!(browser.ask(words).await, 60);
    let all = browser.ask(CHUNKS).await.as_array().unwrap().len();
    assert!(
        all >= 60 + lost.min(10),
        "the events of both attempts are listed"
    );
    assert_eq!(browser.text("#job-missing").await, "0");
    assert_eq!(browser.text("#job-twice").await, "0");
    browser.screenshot("second-attempt").await;
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_phone_shows_all_and_everything_has_a_name() {
    let (_system, mut browser) = opened(Settings::default(), Look::PHONE).await;
    browser.until(SESSION_OPEN).await;
    browser.until(CHAT_OPEN).await;
    browser.click("#chat-text").await;
    browser.write(&"widewidewide".repeat(30)).await;
    browser.press("Enter").await;
    run(&mut browser, 5, 0).await;
    became(&mut browser, "completed").await;
    at_least(&mut browser, FRAMES, 2).await;
    let too_wide = "document.documentElement.scrollWidth > innerWidth || innerWidth > 375";
    assert_eq!(browser.ask(too_wide).await, false);
    browser.screenshot("phone").await;
    browser.click("#token-toggle").await;
    assert_eq!(browser.ask(too_wide).await, false);
    assert_eq!(browser.nameless().await, [""; 0]);
    browser.screenshot("phone-token").await;

    // From the button on, the keyboard gets everywhere, in the order of the page.
    browser.click("#token-toggle").await;
    let wanted = [
        "chat-log",
        "chat-text",
        "chat-send",
        "job-steps",
        "job-pause",
        "job-text",
        "job-run",
        "job-output",
        "job-events",
    ];
    for stop in wanted {
        browser.press("Tab").await;
        assert_eq!(browser.ask("document.activeElement.id").await, stop);
    }
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_server_with_keys_is_given_a_token() {
    let server = vec![format!("--token-hmac-secret={SECRET}")];
    let settings = Settings {
        server,
        ..Settings::default()
    };
    let (_system, mut browser) = opened(settings, Look::DESK).await;
    browser
        .until("document.getElementById('session-alert').textContent.includes('3501')")
        .await;
    browser.screenshot("token-wanted").await;
    for (token, outcome) in [
        (
            "nonsense",
            "document.getElementById('session-alert').textContent.includes('3500')",
        ),
        (TOKEN, SESSION_OPEN),
    ] {
        browser.until("document.activeElement.id === 'token'").await;
        browser.write(token).await;
        browser.press("Enter").await;
        browser.until(outcome).await;
    }
    browser.until(CHAT_OPEN).await;
    browser.click("#chat-text").await;
    browser.write("hello").await;
    browser.press("Enter").await;
    at_least(&mut browser, FRAMES, 2).await;
    run(&mut browser, 3, 0).await;
    became(&mut browser, "completed").await;
    assert_eq!(
        browser
            .ask("document.getElementById('session-alert').hidden")
            .await,
        true
    );
    let kept = "[JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, location.search]";
    assert_eq!(browser.ask(kept).await, json!(["{}", "{}", "", ""]));
    browser.screenshot("token-used").await;
}
