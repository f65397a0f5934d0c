//! When all is well: jobs and rooms.

use serde_json::{Value, json};

use super::{rig, runtime::Runtime, script::Script};

async fn jobs(runtime: Runtime) {
    let rig = rig(1, &[]).await;
    let settings = json!({"url": rig.url()});
    let report: Value = Script::start(runtime, "jobs", &settings).report().await;
    for events in ["followed", "live"] {
        let events = report[events].as_array().unwrap();
        let shown: Vec<_> = events
            .iter()
            .map(|event| {
                let kind = event["type"].as_str().unwrap();
                (event["offset"].as_u64().unwrap(), kind, &event["data"])
            })
            .collect();
        let none = &Value::Null;
        let pieces: Vec<_> = (1..=5).map(Value::from).collect();
        let mut wanted = vec![(1, "queued", none), (2, "started", none)];
        wanted.extend((3..).zip(&pieces).map(|(n, piece)| (n, "chunk", piece)));
        wanted.push((8, "completed", &pieces[4]));
        assert_eq!(shown, wanted);
    }
    assert_eq!(
        (&report["state"], &report["result"]),
        (&json!("completed"), &json!(5))
    );
    assert_eq!(report["already"], 105);
    assert_eq!(report["last"]["type"], "cancelled");
    assert_eq!(report["cancelled"], "done");
    assert_eq!(report["retried"], "completed");
    assert_eq!(
        report["refusals"],
        json!({"unknown": 104, "missing": 404, "over": 409, "invalid": 400, "queue": 404})
    );
}

async fn rooms(runtime: Runtime) {
    let rig = rig(1, &[]).await;
    let settings = json!({"url": rig.url()});
    let report: Value = Script::start(runtime, "rooms", &settings).report().await;
    // The last was said while the subscriber was away.
    assert_eq!(report["offsets"], json!((1..=21).collect::<Vec<_>>()));
    assert_eq!(
        (&report["text"], &report["by"]),
        (&json!("ünï\n\""), &json!(true))
    );
    assert_eq!(report["presence"], 2);
    assert_eq!(report["stats"], json!({"numClients": 2, "numUsers": 1}));
    assert_eq!(report["newest"], json!([20, 19, 18]));
    assert_eq!(report["since"], json!([16, 17, 18, 19, 20]));
    assert_eq!(
        (&report["top"], &report["nothing"]),
        (&json!(20), &json!(0))
    );
    assert_eq!(
        report["refusals"],
        json!({"namespace": 102, "closed": 103, "job": 103, "publish": 103, "presence": 108,
               "history": 108, "epoch": 112})
    );
}

#[tokio::test]
async fn node_hands_in_follows_and_cancels_jobs() {
    jobs(Runtime::Node).await;
}

#[tokio::test]
async fn node_talks_in_rooms() {
    rooms(Runtime::Node).await;
}

#[tokio::test]
async fn python_hands_in_follows_and_cancels_jobs() {
    jobs(Runtime::Python).await;
}

#[tokio::test]
async fn python_talks_in_rooms() {
    rooms(Runtime::Python).await;
}
