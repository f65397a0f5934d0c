//! A client of a stream of events, and a worker that is moved by hand.

use std::time::Duration;

use broker::{
    QueueArgs,
    testing::{Act, Puppet, TestRedis, What},
};
use protocol::{EventType, JobId, QueueName};
use serde_json::{Value, value::RawValue};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

use crate::{http::Http, within};

/// An event as a browser would see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) data: String,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

/// A stream of events.
pub(crate) struct Stream {
    socket: TcpStream,
    /// What came and is not decoded.
    raw: Vec<u8>,
    /// What is decoded and not taken.
    text: String,
    pub(crate) head: String,
    ended: bool,
}

impl Stream {
    pub(crate) async fn open(http: &Http, path: &str) -> Self {
        let mut stream = Self {
            socket: http.send("GET", path, "").await,
            raw: Vec::new(),
            text: String::new(),
            head: String::new(),
            ended: false,
        };
        stream.head = stream.until("\r\n\r\n").await.to_ascii_lowercase();
        let head = &stream.head;
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        stream
    }

    /// The next event; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Seen> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let lines: Vec<_> = block.lines().map(str::to_owned).collect();
                self.text = String::from(rest);
                let field = |name: &str| {
                    let prefix = format!("{name}: ");
                    lines.iter().find_map(|line| line.strip_prefix(&prefix))
                };
                if let Some(data) = field("data") {
                    return Some(Seen {
                        id: field("id").unwrap().to_owned(),
                        event: field("event").unwrap().to_owned(),
                        data: data.to_owned(),
                    });
                }
                continue;
            }
            if self.ended {
                assert_eq!(self.text, "");
                return None;
            }
            let length = self.until("\r\n").await;
            let length = usize::from_str_radix(&length, 16).unwrap();
            while self.raw.len() < length + 2 {
                self.more().await;
            }
            let rest = self.raw.split_off(length + 2);
            let chunk = std::mem::replace(&mut self.raw, rest);
            self.text += std::str::from_utf8(&chunk[..length]).unwrap();
            self.ended = length == 0;
        }
    }

    /// All events up to the end.
    pub(crate) async fn rest(&mut self) -> Vec<Seen> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }

    /// The types of all events up to the end.
    pub(crate) async fn types(&mut self) -> Vec<String> {
        let rest = self.rest().await;
        rest.into_iter().map(|seen| seen.event).collect()
    }

    async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self
                .raw
                .windows(end.len())
                .position(|w| w == end.as_bytes());
            if let Some(place) = found {
                let rest = self.raw.split_off(place + end.len());
                let line = std::mem::replace(&mut self.raw, rest);
                return String::from_utf8(line[..place].to_vec()).unwrap();
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        let read = self.socket.read_buf(&mut self.raw);
        let read = within("something on the stream", read).await.unwrap();
        assert!(read > 0, "the connection broke off");
    }
}

/// A worker of the queue `chat`.
pub(crate) struct Worker(Puppet);

impl Worker {
    pub(crate) fn of(redis: &TestRedis) -> Self {
        let queue = QueueName::new("chat").unwrap();
        let args = QueueArgs {
            log_max_bytes: 100_000_000,
            ..QueueArgs::default()
        };
        Self(Puppet::new(redis.connect("dwb"), queue, args, "w", &[]))
    }

    /// Takes the next job.
    pub(crate) async fn claim(&mut self) -> JobId {
        let held = self.round(&[], 1).await;
        held.expect("a job waits")
    }

    pub(crate) async fn chunk(&mut self, id: JobId, data: &Value) {
        let data = RawValue::from_string(data.to_string()).unwrap();
        self.act(id, What::Emit(EventType::Chunk, data)).await;
    }

    pub(crate) async fn complete(&mut self, id: JobId, result: &Value) {
        let result = RawValue::from_string(result.to_string()).unwrap();
        self.act(id, What::Complete(result)).await;
    }

    async fn act(&mut self, id: JobId, what: What) {
        let act = Act {
            id,
            attempt: 1,
            what,
        };
        self.round(&[act], 0).await;
    }

    async fn round(&mut self, acts: &[Act], want: usize) -> Option<JobId> {
        let lease = Duration::from_secs(600);
        let answer = self.0.round(acts, want, lease).await.unwrap();
        assert!(answer.written.iter().all(|written| *written));
        answer.claims.first().map(|held| held.id)
    }
}
