//! A client of the Centrifugo protocol that hides nothing: commands and replies as JSON.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::gateway::{Client, Gateway};

/// Where sessions are opened.
pub(crate) const PATH: &str = "/connection/websocket";

pub(crate) struct Session {
    pub(crate) client: Client,
    next: u32,
    replies: VecDeque<Value>,
    pushes: VecDeque<Value>,
}

impl Session {
    /// A socket on which nothing was said yet.
    pub(crate) async fn fresh(gateway: &Gateway) -> Self {
        Self {
            client: gateway.try_connect(PATH, &[]).await.unwrap(),
            next: 0,
            replies: VecDeque::new(),
            pushes: VecDeque::new(),
        }
    }

    /// An open session.
    pub(crate) async fn open(gateway: &Gateway) -> Self {
        let mut session = Self::fresh(gateway).await;
        let reply = session.ask("connect", json!({})).await;
        assert!(reply["connect"]["client"].is_string(), "{reply}");
        session
    }

    /// An open session of whoever has the token.
    pub(crate) async fn open_as(gateway: &Gateway, token: &str) -> Self {
        let mut session = Self::fresh(gateway).await;
        let reply = session.ask("connect", json!({ "token": token })).await;
        assert!(reply["connect"]["client"].is_string(), "{reply}");
        session
    }

    /// Sends a frame as it is.
    pub(crate) async fn send(&mut self, frame: &str) {
        self.client.send(Message::text(frame)).await;
    }

    /// Sends a command and waits for its reply.
    pub(crate) async fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.next += 1;
        let command = json!({ "id": self.next, method: parameters });
        self.send(&command.to_string()).await;
        let reply = self.reply().await;
        assert_eq!(reply["id"], self.next, "{reply}");
        reply
    }

    /// The code of the error with which a command is refused.
    pub(crate) async fn refused(&mut self, method: &str, parameters: Value) -> u64 {
        let reply = self.ask(method, parameters).await;
        let message = reply["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "{reply}");
        reply["error"]["code"].as_u64().unwrap()
    }

    /// The data with which a remote procedure call is answered.
    pub(crate) async fn rpc(&mut self, method: &str, data: Value) -> Value {
        let reply = self
            .ask("rpc", json!({ "method": method, "data": data }))
            .await;
        assert!(reply["rpc"]["data"].is_object(), "{reply}");
        reply["rpc"]["data"].clone()
    }

    /// The next reply to a command.
    pub(crate) async fn reply(&mut self) -> Value {
        loop {
            if let Some(reply) = self.replies.pop_front() {
                return reply;
            }
            self.read().await;
        }
    }

    /// The next push.
    pub(crate) async fn push(&mut self) -> Value {
        loop {
            if let Some(push) = self.pushes.pop_front() {
                return push["push"].clone();
            }
            self.read().await;
        }
    }

    /// How many replies and pushes came that nobody asked for yet.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.replies.len(), self.pushes.len())
    }

    async fn read(&mut self) {
        let frame = self.client.text().await;
        for line in frame.split('\n') {
            let value: Value = serde_json::from_str(line).unwrap();
            if value.get("push").is_some() {
                self.pushes.push_back(value);
            } else if value.get("id").is_some() {
                self.replies.push_back(value);
            } else {
                assert_eq!(value, json!({}), "only a ping has neither id nor push");
                self.send("{}").await;
            }
        }
    }
}
