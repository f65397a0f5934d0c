//! A plain WebSocket client that chats through faults: when its connection ends it goes to another server, and it
//! does so of itself now and then, or all would end up with the server that was struck last.
//!
//! A message that it does not get back is not accepted; another takes its place.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use protocol::{ChatResult, plain::ErrorFrame};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use tokio_util::sync::CancellationToken;

use super::{book::Book, pace::Pace};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long a message may take to come back before another takes its place: longer than a server waits for Redis.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many messages may be on their way.
const AHEAD: usize = 100;
/// How long to wait before another server is tried, and for a server to answer.
const PAUSE: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(5);

/// What a client saw beside acceptances.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Chat {
    /// Messages sent.
    pub sent: u64,
    /// Messages that did not come back while their connection lasted.
    pub unanswered: u64,
    /// Messages that the server said it could not take.
    pub refused: u64,
    /// Connections made.
    pub connections: u64,
    /// Frames that came twice on one connection.
    pub doubled: u64,
    /// Results of own messages that came before their text.
    pub early: u64,
}

/// A client.
pub struct Chatter {
    /// Its name, which makes its messages unique.
    pub name: String,
    /// The servers' ports, its favourite first.
    pub ports: Vec<u16>,
    /// How long it stays with a server before it goes to the next, once nothing is on its way.
    pub stay: Duration,
    /// How many messages are to be accepted.
    pub quota: u64,
    /// How fast.
    pub pace: Pace,
    /// Where it writes what was accepted.
    pub book: Arc<Book>,
}

/// What goes on while a client lives.
struct State {
    chatter: Chatter,
    accepted: u64,
    waiting: HashMap<String, Instant>,
    chat: Chat,
}

/// What came on one connection.
#[derive(Default)]
struct Connection {
    frames: HashSet<String>,
    own: HashSet<String>,
}

impl Chatter {
    /// Chats until `done`, and goes on listening until `stop`. `done` is told once the quota is accepted.
    pub async fn run(self, done: CancellationToken, stop: CancellationToken) -> Chat {
        let mut state = State {
            chatter: self,
            accepted: 0,
            waiting: HashMap::new(),
            chat: Chat::default(),
        };
        let ports = state.chatter.ports.clone();
        for port in ports.iter().cycle() {
            let url = format!("ws://127.0.0.1:{port}/");
            let connected = tokio::select! {
                connected = tokio::time::timeout(TIMEOUT, connect_async(url)) => connected,
                () = stop.cancelled() => break,
            };
            if let Ok(Ok((socket, _))) = connected {
                state.chat.connections += 1;
                tokio::select! {
                    () = state.session(socket, &done) => {}
                    () = stop.cancelled() => break,
                }
                // What is still on its way may yet be stored; it counts if it comes back on another connection.
                state.chat.unanswered += state.waiting.len() as u64;
                state.waiting.clear();
            }
            tokio::time::sleep(PAUSE).await;
        }
        state.chat
    }
}

impl State {
    async fn session(&mut self, mut socket: Socket, done: &CancellationToken) {
        let mut connection = Connection::default();
        let mut check = tokio::time::interval(Duration::from_secs(1));
        let came = Instant::now();
        loop {
            if self.accepted >= self.chatter.quota {
                done.cancel();
            }
            let missing = self.chatter.quota.saturating_sub(self.accepted);
            let may_send = self.waiting.len() < AHEAD && (self.waiting.len() as u64) < missing;
            tokio::select! {
                () = self.chatter.pace.due(self.chat.sent), if may_send => {
                    let text = format!("{} says {}", self.chatter.name, self.chat.sent);
                    self.chat.sent += 1;
                    self.waiting.insert(text.clone(), Instant::now());
                    connection.own.insert(text.clone());
                    let sending = socket.send(Message::text(text));
                    if !matches!(tokio::time::timeout(TIMEOUT, sending).await, Ok(Ok(()))) {
                        return;
                    }
                }
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.receive(&mut connection, &text),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
                _ = check.tick() => {
                    let before = self.waiting.len();
                    self.waiting.retain(|_, since| since.elapsed() < PATIENCE);
                    self.chat.unanswered += (before - self.waiting.len()) as u64;
                    if self.waiting.is_empty() && came.elapsed() > self.chatter.stay && !done.is_cancelled() {
                        // The server need not answer: it is left as a phone leaves its network.
                        return;
                    }
                }
            }
        }
    }

    fn receive(&mut self, connection: &mut Connection, text: &str) {
        if serde_json::from_str::<ErrorFrame<'_>>(text).is_ok() {
            // It does not say of which message; that one's patience ends by itself.
            self.chat.refused += 1;
            return;
        }
        let result = serde_json::from_str::<ChatResult<'_>>(text).ok();
        // A message has one result, whatever time is in it.
        let frame = result.as_ref().map_or_else(
            || text.to_owned(),
            |result| format!("result of {}", result.msg),
        );
        let early = result.is_some_and(|result| {
            connection.own.contains(&*result.msg) && !connection.frames.contains(&*result.msg)
        });
        self.chat.early += u64::from(early);
        let own = text
            .strip_prefix(&self.chatter.name)
            .is_some_and(|rest| rest.starts_with(" says "));
        if own {
            self.waiting.remove(text);
            // A server that lags brings again what another brought before.
            self.accepted += u64::from(self.chatter.book.came_back(text));
        }
        if !connection.frames.insert(frame) {
            self.chat.doubled += 1;
        }
    }
}
