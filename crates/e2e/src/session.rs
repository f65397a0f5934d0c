//! A session of the Centrifugo protocol, as an SDK of it has one: commands with answers, and pushes between them.

use std::collections::VecDeque;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};

/// An open session. What it gets is read only while it is asked for something.
pub struct Session {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    asked: u64,
    /// Pushes that came while an answer was waited for.
    pushes: VecDeque<Value>,
    /// Lines of the latest frame that nobody looked at yet.
    lines: VecDeque<Value>,
}

impl Session {
    /// Connects to a server, anonymously. None if it refuses, or ends before it has answered.
    pub async fn connect(port: u16) -> Option<Self> {
        let url = format!("ws://127.0.0.1:{port}/connection/websocket");
        let (socket, _) = connect_async(url).await.ok()?;
        let mut session = Self {
            socket,
            asked: 0,
            pushes: VecDeque::new(),
            lines: VecDeque::new(),
        };
        session.ask("connect", json!({})).await?;
        Some(session)
    }

    /// Sends a command, and waits for the answer: what is in it, or `{"error":…}`. None when the connection has ended.
    pub async fn ask(&mut self, command: &str, body: Value) -> Option<Value> {
        self.asked += 1;
        let id = self.asked;
        let mut frame = Map::new();
        frame.insert("id".to_owned(), id.into());
        frame.insert(command.to_owned(), body);
        self.send(&Value::Object(frame)).await.ok()?;
        loop {
            let mut line = self.line().await?;
            if line["id"] == id {
                return Some(match line.get_mut(command) {
                    Some(answer) => answer.take(),
                    None => line,
                });
            }
            self.pushes.push_back(line);
        }
    }

    /// Calls a method of the server, and waits for what it answers.
    pub async fn rpc(&mut self, method: &str, data: Value) -> Option<Value> {
        let body = json!({ "method": method, "data": data });
        let mut answer = self.ask("rpc", body).await?;
        Some(match answer.get_mut("data") {
            Some(data) => data.take(),
            None => answer,
        })
    }

    /// The next push. None when the connection has ended.
    pub async fn push(&mut self) -> Option<Value> {
        loop {
            let mut line = match self.pushes.pop_front() {
                Some(line) => line,
                None => self.line().await?,
            };
            if let Some(push) = line.get_mut("push") {
                return Some(push.take());
            }
        }
    }

    /// The next line. Pings are answered.
    async fn line(&mut self) -> Option<Value> {
        loop {
            while let Some(line) = self.lines.pop_front() {
                if line != json!({}) {
                    return Some(line);
                }
                self.send(&line).await.ok()?;
            }
            match self.socket.next().await?.ok()? {
                Message::Text(text) => {
                    for line in text.lines() {
                        self.lines.push_back(serde_json::from_str(line).ok()?);
                    }
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    async fn send(&mut self, frame: &Value) -> Result<(), Error> {
        self.socket.send(Message::text(frame.to_string())).await
    }
}
