//! What becomes of a job whose client leaves, where the client asked for it to be cancelled then.

use broker::testing::TestRedis;
use serde_json::{Value, json};

use crate::{gateway::Gateway, session::Session, until};

async fn submit(session: &mut Session) -> Value {
    let job =
        json!({"queue": "chat", "kind": "sleep", "subscribe": true, "on_disconnect": "cancel"});
    session.rpc("job.submit", job).await
}

async fn state(session: &mut Session, job: &Value) -> String {
    let which = json!({"queue": "chat", "id": job["id"]});
    let record = session.rpc("job.get", which).await;
    record["state"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_client_that_leaves_for_good_takes_its_job_with_it() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--disconnect-grace-ms=50"]).await;
    let mut session = Session::open(&gateway).await;
    let job = submit(&mut session).await;
    drop(session);
    let mut other = Session::open(&gateway).await;
    until("the job is cancelled", async || {
        state(&mut other, &job).await == "cancelled"
    })
    .await;
    gateway.end().await;
}

#[tokio::test]
async fn a_client_that_came_back_to_another_server_keeps_its_job() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--disconnect-grace-ms=500"]).await;
    let other = Gateway::ready(&redis, &[]).await;
    let mut session = Session::open(&gateway).await;
    let job = submit(&mut session).await;
    let forsaken = submit(&mut session).await;
    drop(session);
    let mut session = Session::open(&other).await;
    let follow = json!({"channel": job["channel"], "recover": true});
    assert!(session.ask("subscribe", follow).await["subscribe"].is_object());
    // Both are looked at together: by the time that one is cancelled, the other was spared.
    until("the other job is cancelled", async || {
        state(&mut session, &forsaken).await == "cancelled"
    })
    .await;
    assert_eq!(state(&mut session, &job).await, "waiting");
    gateway.end().await;
    other.end().await;
}

#[tokio::test]
async fn a_server_that_stops_is_no_client_that_left() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--disconnect-grace-ms=0"]).await;
    let other = Gateway::ready(&redis, &[]).await;
    let mut session = Session::open(&gateway).await;
    let job = submit(&mut session).await;
    gateway.stop();
    assert_eq!(session.client.closed().await, 3001);
    drop(session);
    gateway.end().await;
    let mut session = Session::open(&other).await;
    assert_eq!(state(&mut session, &job).await, "waiting");
    other.end().await;
}
