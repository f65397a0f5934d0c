//! What a message does when all is well.

use broker::testing::TestRedis;

use apalis::prelude::{BoxDynError, WorkerBuilder};
use broker::{ConsumerConfig, Output, Producer, ProducerConfig, QueueArgs, RedisBackend};
use clap::Parser as _;
use protocol::{ChatPayload, Job, QueueName};
use server::ServerArgs;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{gateway::Gateway, within};

#[tokio::test]
async fn a_text_reaches_every_client_of_every_server() {
    let redis = TestRedis::start().await;
    let (one, two) = (
        Gateway::ready(&redis, &[]).await,
        Gateway::ready(&redis, &[]).await,
    );
    let (mut near, mut far) = (one.connect().await, two.connect().await);
    for text in [
        "hi I am here :)",
        " ",
        "\u{0}\u{7}\u{1b}[31m",
        "🦀👩‍👩‍👧‍👦 \"quoted\"\n",
        "{}",
    ] {
        near.send(text).await;
        assert_eq!(near.text().await, text);
        assert_eq!(far.text().await, text);
    }
    far.send(r#"{"msg":"good to see u are here ","time":1772710399261}"#)
        .await;
    assert_eq!(near.text().await, "good to see u are here ");
    assert_eq!(far.text().await, "good to see u are here ");
    one.end().await;
    two.end().await;
}

#[tokio::test]
async fn order_is_kept() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &["--max-in-flight=7"]).await;
    let (mut sender, mut reader) = (gateway.connect().await, gateway.connect().await);
    let sending = async {
        for n in 0..2_000 {
            sender.send(n.to_string()).await;
        }
        for n in 0..2_000 {
            assert_eq!(sender.text().await, n.to_string());
        }
    };
    let reading = async {
        for n in 0..2_000 {
            assert_eq!(reader.text().await, n.to_string());
        }
    };
    tokio::join!(sending, reading);
    assert_eq!(gateway.metric("messages_accepted_total").await, 2_000);
    assert_eq!(gateway.metric("ws_frames_sent_total").await, 4_000);
    gateway.end().await;
}

#[tokio::test]
async fn a_result_follows_its_message() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let mut client = gateway.connect().await;
    let stop = CancellationToken::new();
    let tracker = TaskTracker::new();
    let args = ServerArgs::parse_from(["server", "--redis-url", &redis.url()]);
    let connection = broker::Redis::new(&args.redis).unwrap();
    let queue = QueueName::new("chat").unwrap();
    let producer = Producer::spawn(
        connection.clone(),
        queue,
        QueueArgs::default(),
        ProducerConfig::default(),
        &tracker,
    );
    let config = ConsumerConfig {
        capacity: 4,
        soft: stop.clone(),
        tracker: tracker.clone(),
        ..ConsumerConfig::new("test", stop.clone())
    };
    let backend = RedisBackend::new(connection, QueueArgs::default(), producer).consuming(config);
    let answer = async |job: Job| -> Result<Output, BoxDynError> {
        let payload: ChatPayload<'_> = serde_json::from_str(job.payload.get())?;
        let result = serde_json::json!({ "msg": payload.msg, "time": 7 });
        Ok(Output(serde_json::value::to_raw_value(&result)?))
    };
    let worker = WorkerBuilder::new("test").backend(backend).build(answer);
    let talk = async {
        for n in 0..20 {
            let text = format!("message {n}");
            client.send(text.as_str()).await;
            assert_eq!(client.text().await, text);
            let result = format!(r#"{{"msg":"{text}","time":7}}"#);
            assert_eq!(client.text().await, result);
        }
    };
    tokio::select! {
        () = talk => {}
        ended = worker.run() => panic!("the worker ended: {ended:?}"),
    }
    stop.cancel();
    gateway.end().await;
}

#[tokio::test]
async fn binary_frames_are_taken_if_they_are_text() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let mut client = gateway.connect().await;
    client
        .send(Message::binary("zwölf".as_bytes().to_vec()))
        .await;
    assert_eq!(client.text().await, "zwölf");
    gateway.end().await;
}

#[tokio::test]
async fn only_the_sender_hears_of_an_empty_message() {
    let redis = TestRedis::start().await;
    let gateway = Gateway::ready(&redis, &[]).await;
    let (mut sender, mut other) = (gateway.connect().await, gateway.connect().await);
    for empty in ["", r#"{"msg":""}"#] {
        sender.send(empty).await;
        let answer = sender.text().await;
        assert!(
            answer.starts_with(r#"{"error":"empty_message","message":""#),
            "{answer}"
        );
    }
    sender.send("more").await;
    assert_eq!(sender.text().await, "more");
    assert_eq!(other.text().await, "more");
    assert_eq!(
        gateway
            .metric("messages_refused_total{code=\"empty_message\"}")
            .await,
        2
    );
    gateway.end().await;
}

#[tokio::test]
async fn a_browser_gets_the_page() {
    let redis = TestRedis::stopped(&[]);
    let gateway = Gateway::start(&redis, &[]).await;
    let (status, head, body) = gateway.get("/").await;
    assert_eq!(status, 200);
    assert!(
        head.contains("content-security-policy: default-src 'none'"),
        "{head}"
    );
    assert!(body.starts_with("<!doctype html>"));
    assert_eq!(gateway.get("/ws").await.0, 426);
    assert_eq!(gateway.get("/other").await.0, 404);
    within("the end", gateway.end()).await;
}
