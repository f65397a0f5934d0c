//! Tokens that expire and are renewed while the session goes on, and those that are good for nothing.

use serde_json::{Value, json};

use super::{rig, runtime::Runtime, script::Script};

const SECRET: &str = "a secret that only this test and its server know";

async fn tokens(runtime: Runtime) {
    let rig = rig(1, &["--token-hmac-secret", SECRET]).await;
    let settings = json!({"url": rig.url(), "secret": SECRET});
    let report: Value = Script::start(runtime, "tokens", &settings).report().await;
    // Each was good for two seconds: a session outlives several.
    assert!(report["tokens"].as_u64().unwrap() >= 3, "{report}");
    assert!(report["channelTokens"].as_u64().unwrap() >= 4, "{report}");
    assert_eq!(
        (&report["sessions"], &report["losses"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(report["interruptions"], 1);
    assert_eq!(report["asked"], 1);
    assert_eq!(
        report["info"],
        json!({"user": "ada", "connInfo": {"name": "Ada"}, "chanInfo": {"seat": 7}})
    );
    assert_eq!(
        report["others"],
        json!({"get": 404, "cancel": 404, "retry": 404, "history": 103, "subscribe": 103, "vault": 103,
               "forged": 103})
    );
    // 1 is the SDK's own: it has no way to another token.
    assert_eq!(
        report["ends"],
        json!({"none": 3501, "forged": 3500, "expired": 1, "channel": 3500})
    );
}

#[tokio::test]
async fn node_renews_its_tokens() {
    tokens(Runtime::Node).await;
}

#[tokio::test]
async fn python_renews_its_tokens() {
    tokens(Runtime::Python).await;
}
