//! What a client saw of one job that it followed to the end.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use e2e::faults::link::Link;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::{runtime::Runtime, script::Script, url};

/// What it reports.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// How many publications came.
    pub events: usize,
    /// How often it was subscribed.
    pub subscribed: u64,
    /// How often what it had missed was not to be had.
    pub unrecovered: u64,
    /// Where an offset did not follow the one before it.
    pub wrong: Vec<Value>,
    /// How many publications came of each type.
    pub types: BTreeMap<String, usize>,
    /// The attempts that began.
    pub attempts: Vec<u32>,
    /// The pieces of output that count.
    pub output: Vec<usize>,
    /// The last event.
    pub end: Value,
}

impl Report {
    /// Fails unless everything came, once and in order.
    pub fn assert_complete(&self) {
        let Self {
            wrong,
            unrecovered,
            output,
            ..
        } = self;
        assert!(
            wrong.is_empty() && *unrecovered == 0,
            "{wrong:?} {unrecovered}"
        );
        assert_eq!(*output, (1..=output.len()).collect::<Vec<_>>());
    }
}

/// A client that follows a job through a link, which leads to one server or another.
pub struct Following {
    pub script: Script,
    link: Link,
    server: Arc<AtomicU16>,
    _tracker: TaskTracker,
}

impl Following {
    /// Hands in a job of so many pieces of output, and follows it.
    pub async fn start(
        runtime: Runtime,
        server: u16,
        by_server: bool,
        (chunks, pause_ms): (u32, u32),
    ) -> Self {
        let server = Arc::new(AtomicU16::new(server));
        let tracker = TaskTracker::new();
        let link = Link::start(Arc::clone(&server), &tracker).await.unwrap();
        let settings = json!({
            "url": url(link.port()), "server": by_server,
            "payload": {"chunks": chunks, "pause_ms": pause_ms},
        });
        let script = Script::start(runtime, "follow", &settings);
        Self {
            script,
            link,
            server,
            _tracker: tracker,
        }
    }

    /// From now on another server is behind the link.
    pub fn lead_to(&self, server: u16) {
        self.server.store(server, Ordering::Release);
    }

    /// Cuts the connection.
    pub fn cut(&self) {
        self.link.cut();
    }
}
