//! The peers of the benchmark do the work that they are measured by.

use broker::testing::{TestRedis, Topology};
use e2e::{
    Client,
    bench::peers::{Heard, Peers, Publication, Queue, QueueTask, Relay, Running, Wanted},
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

fn peers() -> Peers {
    // What takes minutes to build is tested where it was built before.
    Peers::install(&Peers::folder(), Wanted::default())
}

/// The peers know one server, whatever others are tested on.
async fn redis() -> TestRedis {
    TestRedis::start_as(Topology::One, &["--appendonly", "no"]).await
}

fn names(running: &Running) -> Vec<&'static str> {
    running.pids().into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn the_seeds_stack_relays_the_text_and_the_result_to_everyone() {
    let redis = redis().await;
    let seed = peers().seed(&redis.url()).await.unwrap();
    assert_eq!(names(&seed), ["worker", "server"]);
    let mut sender = Client::connect(seed.port()).await;
    let other = Client::connect(seed.port()).await;
    assert!(sender.send("hi {there}").await);
    for client in [&sender, &other] {
        let mut texts = client.until_count(2).await;
        // Nothing orders the two.
        texts.sort();
        assert_eq!(texts[0], "hi {there}");
        let result: Value = serde_json::from_str(&texts[1]).unwrap();
        assert_eq!(result["msg"], "hi {there}");
        assert!(result["time"].is_u64());
    }
}

async fn a_queue_says_what_its_task_took(queue: Queue) {
    let redis = redis().await;
    let task = QueueTask {
        jobs: 2_000,
        concurrency: 100,
        payload: 100,
        keep: 500,
    };
    let figures = peers().queue(queue, &redis.url(), &task).await.unwrap();
    assert!(figures.add_seconds > 0.0 && figures.process_seconds > 0.0);
    assert!(figures.add_cpu > 0.0 && figures.process_cpu > 0.0);
    let bytes = figures.bytes_per_waiting_job(&task);
    assert!((100.0..2_000.0).contains(&bytes), "{figures:?}");
    assert!(
        figures.memory_finished < figures.memory_waiting,
        "{figures:?}"
    );
}

#[tokio::test]
async fn bullmq_on_node_runs_alone() {
    a_queue_says_what_its_task_took(Queue::Bullmq).await;
}

/// Publishes bytes, which need not be text.
async fn publish(redis: &TestRedis, publication: Publication) {
    let Publication { channel, payload } = publication;
    let url = redis.url();
    let address = url.trim_start_matches("redis://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n${}\r\n",
        channel.len(),
        payload.len()
    );
    let command = [head.as_bytes(), &payload, b"\r\n"].concat();
    stream.write_all(&command).await.unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b":1\r\n", "who follows {channel}");
}

async fn a_relay_delivers_what_is_published(relay: Relay) {
    let redis = redis().await;
    let server = peers().relay(relay, &redis.url()).await.unwrap();
    assert_eq!(names(&server), ["server"]);
    let url = format!("ws://127.0.0.1:{}{}", server.port(), relay.path());
    let (mut socket, _) = connect_async(url).await.unwrap();
    let texts = ["hi", r#"{"quoted":"\\"}"#];
    let mut subscribed = relay.subscribes_at_once();
    let mut came = Vec::new();
    let mut published = false;
    while came.len() < texts.len() {
        if subscribed && !published {
            published = true;
            for text in texts {
                publish(&redis, relay.publication(text)).await;
            }
        }
        let Message::Text(frame) = socket.next().await.unwrap().unwrap() else {
            continue;
        };
        match relay.hear(&frame) {
            Heard::Say(answer) => socket.send(Message::text(answer)).await.unwrap(),
            Heard::Subscribed => subscribed = true,
            Heard::Delivery(text) => came.push(text.into_owned()),
            Heard::Nothing => {}
        }
    }
    assert_eq!(came, texts);
}

#[tokio::test]
async fn ws_relays() {
    a_relay_delivers_what_is_published(Relay::Ws).await;
    a_relay_delivers_what_is_published(Relay::WsCorked).await;
}

#[tokio::test]
async fn socket_io_relays() {
    a_relay_delivers_what_is_published(Relay::SocketIo).await;
}

#[tokio::test]
async fn sockudo_relays_where_it_was_built() {
    if peers().versions().iter().any(|(name, _)| name == "sockudo") {
        a_relay_delivers_what_is_published(Relay::Sockudo).await;
    }
}

#[tokio::test]
async fn bullmq_in_rust_runs_alone_where_it_was_built() {
    if peers()
        .versions()
        .iter()
        .any(|(name, _)| name == "bullmq-official")
    {
        a_queue_says_what_its_task_took(Queue::BullmqRust).await;
    }
}
