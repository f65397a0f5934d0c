//! Gateways that relay what is published on Redis, and how one speaks with them over raw frames of text.
//!
//! Each frame that comes is given to [`Relay::hear`], which says what it is and what to answer. It keeps no state, so
//! one value serves any number of connections.

use std::borrow::Cow;

use serde_json::{Value, json};

/// The channel or room that everyone is subscribed to.
pub(super) const ROOM: &str = "bench";
/// What a message is called where it needs a name.
const EVENT: &str = "m";
/// Sockudo's app: its id and key.
pub(super) const APP: &str = "bench";
/// The first part of the names of Sockudo's channels on Redis.
pub(super) const PREFIX: &str = "sockudo_adapter:";

/// A gateway that is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relay {
    /// A minimal server of `ws`, which writes each message to each socket.
    Ws,
    /// The same, but what came together is written together: more than most people do.
    WsCorked,
    /// Socket.IO with its Redis adapter, `WebSockets` only.
    SocketIo,
    /// Sockudo with its Redis adapter.
    Sockudo,
}

/// What a frame from a gateway is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// To be answered with this frame.
    Say(&'static str),
    /// From now on everything that is published arrives.
    Subscribed,
    /// A published text has arrived.
    Delivery(Cow<'a, str>),
    /// Nothing to do.
    Nothing,
}

/// What `PUBLISH` is to be sent with, so that the gateway takes it for the message of another process of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The channel of Redis.
    pub channel: String,
    /// The message.
    pub payload: Vec<u8>,
}

impl Relay {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Ws, Self::WsCorked, Self::SocketIo, Self::Sockudo];

    /// Its name, as a table's heading.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::WsCorked => "ws, corked",
            Self::SocketIo => "Socket.IO",
            Self::Sockudo => "Sockudo",
        }
    }

    /// Path and query to connect to.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Ws | Self::WsCorked => "/",
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket",
            Self::Sockudo => "/app/bench-key?protocol=7&client=bench&version=1.0.0",
        }
    }

    /// Whether a client is subscribed as soon as it is connected. Else [`Heard::Subscribed`] follows.
    pub const fn subscribes_at_once(self) -> bool {
        matches!(self, Self::Ws | Self::WsCorked)
    }

    /// What a frame of text is. A text without anything that JSON escapes is borrowed from the frame.
    pub fn hear(self, frame: &str) -> Heard<'_> {
        match self {
            Self::Ws | Self::WsCorked => Heard::Delivery(frame.into()),
            Self::SocketIo => match frame.as_bytes() {
                [b'4', b'2', ..] => delivery(frame, "\"m\",", "]"),
                [b'4', b'0', ..] => Heard::Subscribed,
                [b'0', ..] => Heard::Say("40"),
                // The server's ping.
                [b'2'] => Heard::Say("3"),
                _ => Heard::Nothing,
            },
            Self::Sockudo => {
                if !frame.contains("\"pusher") {
                    delivery(frame, "\"data\":", "}")
                } else if frame.contains("\"pusher:connection_established\"") {
                    Heard::Say(r#"{"event":"pusher:subscribe","data":{"channel":"bench"}}"#)
                } else if frame.contains("\"pusher_internal:subscription_succeeded\"") {
                    Heard::Subscribed
                } else if frame.contains("\"pusher:ping\"") {
                    Heard::Say(r#"{"event":"pusher:pong","data":{}}"#)
                } else {
                    Heard::Nothing
                }
            }
        }
    }

    /// What to publish, so that everyone who is subscribed gets a text.
    pub fn publication(self, text: &str) -> Publication {
        match self {
            Self::Ws | Self::WsCorked => Publication {
                channel: ROOM.to_owned(),
                payload: text.into(),
            },
            // As the package `@socket.io/redis-emitter` does it. 2 is an event.
            Self::SocketIo => {
                let packet = json!({ "type": 2, "data": [EVENT, text], "nsp": "/" });
                let options = json!({ "rooms": [ROOM], "flags": {}, "except": [] });
                Publication {
                    channel: format!("socket.io#/#{ROOM}#"),
                    payload: rmp_serde::to_vec(&("emitter", packet, options))
                        .expect("JSON can be packed"),
                }
            }
            // As another node does it.
            Self::Sockudo => {
                let message = json!({ "event": EVENT, "channel": ROOM, "data": text });
                let broadcast = json!({
                    "node_id": "another",
                    "app_id": APP,
                    "channel": ROOM,
                    "message": message.to_string(),
                    "except_socket_id": Value::Null,
                });
                Publication {
                    channel: format!("{PREFIX}:#broadcast"),
                    payload: broadcast.to_string().into_bytes(),
                }
            }
        }
    }
}

/// The text that stands as a string of JSON between what goes before it and the end.
fn delivery<'a>(frame: &'a str, before: &str, after: &str) -> Heard<'a> {
    let string = frame
        .split_once(before)
        .and_then(|(_, rest)| rest.strip_suffix(after));
    let Some(string) = string else {
        return Heard::Nothing;
    };
    let inner = string
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    if let Some(inner) = inner.filter(|inner| !inner.contains(['\\', '"'])) {
        return Heard::Delivery(inner.into());
    }
    // What has escapes, and what has more fields behind it.
    let mut strings = serde_json::Deserializer::from_str(string).into_iter::<String>();
    match strings.next() {
        Some(Ok(text)) => Heard::Delivery(text.into()),
        _ => Heard::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_io_is_answered_and_read() {
        let hear = |frame| Relay::SocketIo.hear(frame);
        assert_eq!(hear(r#"0{"sid":"a","upgrades":[]}"#), Heard::Say("40"));
        assert_eq!(hear(r#"40{"sid":"b"}"#), Heard::Subscribed);
        assert_eq!(hear("2"), Heard::Say("3"));
        assert_eq!(hear(r#"42["m","hi"]"#), Heard::Delivery("hi".into()));
        let escaped = Heard::Delivery(r#"{"n":1}"#.into());
        assert_eq!(hear(r#"42["m","{\"n\":1}"]"#), escaped);
    }

    #[test]
    fn pusher_is_answered_and_read() {
        let hear = |frame| Relay::Sockudo.hear(frame);
        let subscribe = hear(r#"{"event":"pusher:connection_established","data":"{}"}"#);
        assert!(matches!(subscribe, Heard::Say(frame) if frame.contains("pusher:subscribe")));
        assert_eq!(
            hear(
                r#"{"event":"pusher_internal:subscription_succeeded","channel":"bench","data":"{}"}"#
            ),
            Heard::Subscribed
        );
        let pong = hear(r#"{"event":"pusher:ping","data":"{}"}"#);
        assert!(matches!(pong, Heard::Say(frame) if frame.contains("pusher:pong")));
        let hi = Heard::Delivery("hi".into());
        assert_eq!(hear(r#"{"event":"m","channel":"bench","data":"hi"}"#), hi);
        assert_eq!(hear(r#"{"event":"m","data":"hi","channel":"bench"}"#), hi);
    }

    #[test]
    fn socket_io_is_published_to_as_its_emitter_does() {
        let publication = Relay::SocketIo.publication("hi");
        assert_eq!(publication.channel, "socket.io#/#bench#");
        let read: Value = rmp_serde::from_slice(&publication.payload).unwrap();
        assert_eq!(read[0], "emitter");
        assert_eq!(read[1]["data"], json!(["m", "hi"]));
        assert_eq!(read[2]["rooms"], json!(["bench"]));
    }
}
