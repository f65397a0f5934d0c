//! Jobs whose text was made to attack the terminal of whoever looks at them.

use std::time::Duration;

use protocol::JobOptions;

use crate::rig::{Rig, Worker};

#[tokio::test]
async fn no_job_reaches_the_terminal_with_a_control_sequence() {
    let rig = Rig::start("hostile").await;
    let worker = Worker::start(&rig, "chat", Duration::from_secs(10));
    // Raw where JSON allows it, and hidden in an escape.
    let payload = "\"\u{9b}2J\\u001b]0;owned\\u0007\u{7f}\u{202e}\\r\\n\"";
    let failed = rig
        .submit("chat", "fail", payload, JobOptions::default())
        .await;
    let done = rig
        .submit("chat", "done", payload, JobOptions::default())
        .await;
    rig.until_state("chat", failed, "failed").await;
    rig.until_state("chat", done, "completed").await;
    worker.kill();
    let (failed, done) = (failed.to_string(), done.to_string());
    for words in [
        &["jobs"][..],
        &["jobs", "--json"],
        &["job", &failed],
        &["job", &done],
        &["job", &done, "--json"],
    ] {
        let answer = rig.run(words);
        assert_eq!(answer.code, 0, "{answer:?}");
        let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!answer.out.contains(harmful), "{words:?}: {:?}", answer.out);
        assert!(answer.out.contains("2J"), "{words:?}: {:?}", answer.out);
    }
    let record = rig.run(&["job", &failed, "--json"]).json();
    assert_eq!(
        record["payload"],
        "\u{9b}2J\u{1b}]0;owned\u{7}\u{7f}\u{202e}\r\n"
    );
}
