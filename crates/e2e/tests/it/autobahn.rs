//! The rules of WebSocket, as Autobahn's cases have them, against the server's own connections.
//!
//! The echo exists in this test alone: no server has it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use server::{Close, Connection, Frame, Inbound, Limits, Metrics, Outbox, Session, Timing};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::sdk::{runtime::Runtime, script::Script};

/// The longest message of any case.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Sends back what it is sent.
struct Echo(Arc<Outbox>);

impl Echo {
    async fn send(&self, frame: Frame) -> Result<(), Close> {
        self.0.room().await;
        self.0.push(frame);
        Ok(())
    }
}

impl Session for Echo {
    async fn on_text(&mut self, text: &str) -> Result<(), Close> {
        self.send(Frame::text(text)).await
    }

    async fn on_binary(&mut self, bytes: &[u8]) -> Result<(), Close> {
        self.send(Frame::binary(bytes)).await
    }

    async fn settle(&mut self) {}
}

async fn echo(stream: TcpStream, id: u64) {
    let Ok(socket) = tokio_tungstenite::accept_async(stream).await else {
        return;
    };
    // Only the handshake is another's. A client sends nothing before it is answered.
    let (reader, writer) = socket.into_inner().into_split();
    let limits = Limits {
        frames: 1024,
        bytes: 2 * MAX_BYTES,
    };
    let outbox = Arc::new(Outbox::new(limits));
    outbox.open(writer);
    let timing = Timing {
        ping_interval: Duration::from_secs(60),
        idle_timeout: Duration::from_secs(120),
        write_timeout: Duration::from_secs(20),
    };
    let connection = Connection {
        inbound: Inbound::new(reader, &[], MAX_BYTES),
        session: Echo(Arc::clone(&outbox)),
        outbox,
        timing,
        id,
        metrics: Arc::<Metrics>::default(),
        guard: (),
    };
    connection.run().await;
}

#[derive(Deserialize)]
struct Report {
    /// The cases by what came out.
    cases: BTreeMap<String, Vec<String>>,
    wrong: Vec<Value>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_that_is_not_compression_passes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tracker = TaskTracker::new();
    let connections = tracker.clone();
    tracker.spawn(async move {
        for id in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(echo(stream, id));
        }
    });
    let settings = json!({"url": format!("ws://127.0.0.1:{port}")});
    let script = Script::start(Runtime::Python, "autobahn", &settings);
    let report: Report = script.report().await;
    assert!(report.wrong.is_empty(), "{:#?}", report.wrong);
    let count: usize = report.cases.values().map(Vec::len).sum();
    assert!(
        count >= 300,
        "only {count} cases ran: {:?}",
        report.cases.keys()
    );
}
