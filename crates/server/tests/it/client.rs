//! Sessions of the Centrifugo protocol on a real Redis, without a worker: what clients are told, and in which order.

use broker::testing::TestRedis;
use serde_json::{Value, json};

use crate::{gateway::Gateway, session::Session};

const ROOMS: &str = r#"{
    "without_namespace": {"allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true},
    "namespaces": [{
        "name": "room", "history_size": 1000, "history_ttl_secs": 60, "presence": true, "join_leave": true,
        "force_push_join_leave": true, "force_recovery": true,
        "allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true,
        "allow_publish_for_subscriber": true, "allow_publish_for_anonymous": true,
        "allow_presence_for_subscriber": true, "allow_presence_for_anonymous": true,
        "allow_history_for_subscriber": true, "allow_history_for_anonymous": true
    }]
}"#;

async fn with_rooms(redis: &TestRedis) -> Gateway {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ROOMS).unwrap();
    let setting = format!("--namespaces-file={}", file.path().display());
    Gateway::ready(redis, &[&setting]).await
}

/// Asks for a job that nobody will run.
fn job(more: &Value) -> Value {
    let mut job = json!({"queue": "chat", "kind": "sleep", "payload": 1});
    let more = more.as_object().unwrap().clone();
    job.as_object_mut().unwrap().extend(more);
    job
}

#[tokio::test]
async fn a_submit_that_subscribes_sees_every_event_from_the_first() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let mut session = Session::open(&gateway).await;
    let accepted = session
        .rpc("job.submit", job(&json!({"subscribe": true})))
        .await;
    let channel = accepted["channel"].as_str().unwrap().to_owned();
    assert_eq!(accepted["duplicate"], false);
    let told = session.push().await;
    assert_eq!(told["channel"], channel);
    assert_eq!(told["subscribe"]["recoverable"], true);
    assert_eq!(told["subscribe"]["epoch"], accepted["epoch"]);
    assert_eq!(told["subscribe"].get("offset"), None, "from the beginning");
    let queued = session.push().await;
    assert_eq!(queued["pub"]["offset"], 1);
    assert_eq!(queued["pub"]["data"]["type"], "queued");
    let which = json!({"queue": "chat", "id": accepted["id"]});
    let cancelled = session.rpc("job.cancel", which.clone()).await;
    assert_eq!(cancelled["outcome"], "done");
    let last = session.push().await;
    assert_eq!(last["pub"]["offset"], 2);
    assert_eq!(last["pub"]["data"]["type"], "cancelled");
    assert_eq!(
        session.rpc("job.get", which.clone()).await["state"],
        "cancelled"
    );
    // Which is over is over.
    let again = json!({"method": "job.cancel", "data": which});
    assert_eq!(session.refused("rpc", again).await, 409);
    // The client did not ask for the subscription and can't end it: it ends with its job.
    let ended = session.push().await;
    assert_eq!(ended["unsubscribe"]["code"], 2000);
    assert_eq!(session.waiting(), (0, 0));
    gateway.end().await;
}

#[tokio::test]
async fn a_job_that_is_over_is_still_told_to_who_comes_late() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let mut session = Session::open(&gateway).await;
    let accepted = session.rpc("job.submit", job(&json!({}))).await;
    let which = json!({"queue": "chat", "id": accepted["id"]});
    session.rpc("job.cancel", which).await;
    let mut late = Session::open(&gateway).await;
    let wants = json!({"channel": accepted["channel"], "recover": true});
    let reply = late.ask("subscribe", wants).await;
    let types: Vec<_> = reply["subscribe"]["publications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|publication| publication["data"]["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types, ["queued", "cancelled"]);
    assert_eq!(reply["subscribe"]["recovered"], true);
    assert_eq!(reply["subscribe"]["was_recovering"], true);
    gateway.end().await;
}

#[tokio::test]
async fn the_first_publication_of_a_new_room_reaches_its_subscribers() {
    let redis = TestRedis::start().await;
    let gateway = with_rooms(&redis).await;
    let mut session = Session::open(&gateway).await;
    let channel = json!({"channel": "room:new"});
    let reply = session.ask("subscribe", channel.clone()).await;
    let result = &reply["subscribe"];
    assert_eq!(
        (&result["recoverable"], &result["positioned"]),
        (&json!(true), &json!(true))
    );
    assert!(
        result["epoch"]
            .as_str()
            .is_some_and(|epoch| !epoch.is_empty())
    );
    let epoch = result["epoch"].clone();
    // Its own coming, after the reply.
    assert!(session.push().await["join"]["info"]["client"].is_string());
    for n in 1..=3 {
        let data = json!({"channel": "room:new", "data": {"n": n, "text": "a\nb"}});
        let reply = session.ask("publish", data).await;
        assert_eq!(reply["publish"], json!({}));
        let publication = session.push().await;
        assert_eq!(publication["pub"]["offset"], n, "{publication}");
        assert_eq!(publication["pub"]["data"]["text"], "a\nb");
        assert!(publication["pub"]["info"]["client"].is_string());
    }
    let history = json!({"channel": "room:new", "limit": 2, "reverse": true});
    let history = session.ask("history", history).await;
    assert_eq!(history["history"]["epoch"], epoch);
    let offsets: Vec<_> = history["history"]["publications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|publication| publication["offset"].as_u64().unwrap())
        .collect();
    assert_eq!(offsets, [3, 2]);
    let present = session.ask("presence", channel.clone()).await;
    assert_eq!(
        present["presence"]["presence"].as_object().unwrap().len(),
        1
    );
    let stats = session.ask("presence_stats", channel).await;
    assert_eq!(
        stats["presence_stats"],
        json!({"num_clients": 1, "num_users": 1})
    );
    gateway.end().await;
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_from_another_server() {
    let redis = TestRedis::start().await;
    let (one, two) = (with_rooms(&redis).await, with_rooms(&redis).await);
    let mut here = Session::open(&one).await;
    let reply = here.ask("subscribe", json!({"channel": "room:a"})).await;
    let epoch = reply["subscribe"]["epoch"].clone();
    for n in 1..=90 {
        here.ask("publish", json!({"channel": "room:a", "data": n}))
            .await;
    }
    let mut there = Session::open(&two).await;
    let wants = json!({"channel": "room:a", "recover": true, "offset": 40, "epoch": epoch});
    let reply = there.ask("subscribe", wants).await;
    let result = &reply["subscribe"];
    assert_eq!(
        (&result["recovered"], &result["offset"]),
        (&json!(true), &json!(40))
    );
    let publications = result["publications"].as_array().unwrap();
    let offsets: Vec<_> = publications
        .iter()
        .map(|one| one["offset"].as_u64().unwrap())
        .collect();
    assert_eq!(offsets, (41..=90).collect::<Vec<_>>());
    // Another epoch can't be recovered, and where that is asked for it is an error.
    let mut other = Session::open(&two).await;
    let wants =
        json!({"channel": "room:a", "recover": true, "offset": 40, "epoch": "_", "flag": 2});
    assert_eq!(other.refused("subscribe", wants).await, 112);
    let wants = json!({"channel": "room:a", "recover": true, "offset": 40, "epoch": "_"});
    let reply = other.ask("subscribe", wants).await;
    let result = &reply["subscribe"];
    assert_eq!(
        (&result["was_recovering"], &result["offset"]),
        (&json!(true), &json!(90))
    );
    assert!(result.get("recovered").is_none() && result.get("publications").is_none());
    one.end().await;
    two.end().await;
}

#[tokio::test]
async fn what_one_reply_cannot_hold_comes_behind_it_and_before_what_is_new() {
    let redis = TestRedis::start().await;
    let gateway = with_rooms(&redis).await;
    let mut speaker = Session::open(&gateway).await;
    let reply = speaker.ask("subscribe", json!({"channel": "room:a"})).await;
    let epoch = reply["subscribe"]["epoch"].clone();
    let say = async |speaker: &mut Session, from: u32, to: u32| {
        let command = |n| json!({"id": n, "publish": {"channel": "room:a", "data": n}}).to_string();
        speaker
            .send(&(from..=to).map(command).collect::<Vec<_>>().join("\n"))
            .await;
    };
    say(&mut speaker, 1, 800).await;
    for n in 1..=800 {
        assert_eq!(speaker.reply().await["id"], n);
    }
    let mut late = Session::open(&gateway).await;
    let wants = json!({"channel": "room:a", "recover": true, "offset": 10, "epoch": epoch});
    let (reply, ()) = tokio::join!(late.ask("subscribe", wants), say(&mut speaker, 801, 900));
    let result = &reply["subscribe"];
    assert_eq!(result["recovered"], true);
    let publications = result["publications"].as_array().unwrap();
    assert!(publications.len() < 790, "one reply held it all");
    let offset = |publication: &Value| publication["offset"].as_u64();
    let mut offsets: Vec<_> = publications.iter().filter_map(offset).collect();
    while offsets.len() < 890 {
        // Comings and goings have none.
        offsets.extend(offset(&late.push().await["pub"]));
    }
    assert_eq!(offsets, (11..=900).collect::<Vec<_>>());
    gateway.end().await;
}

#[tokio::test]
async fn subscribing_and_leaving_back_to_back_works() {
    let redis = TestRedis::start().await;
    let gateway = with_rooms(&redis).await;
    let mut session = Session::open(&gateway).await;
    let mut frame = Vec::new();
    for n in 0..10 {
        frame.push(json!({"id": 100 + 2 * n, "subscribe": {"channel": "room:a"}}).to_string());
        frame.push(json!({"id": 101 + 2 * n, "unsubscribe": {"channel": "room:a"}}).to_string());
    }
    session.send(&frame.join("\n")).await;
    for n in 0..20 {
        let reply = session.reply().await;
        assert_eq!(reply["id"], 100 + n, "{reply}");
        assert!(reply.get("error").is_none(), "{reply}");
    }
    let twice = json!({"channel": "room:a"});
    session.ask("subscribe", twice.clone()).await;
    assert_eq!(session.refused("subscribe", twice).await, 105);
    gateway.end().await;
}
