//! How one speaks with a gateway: where to connect, what to say to be subscribed, what a frame is.

use crate::bench::peers::{Heard, Relay};

/// The room that everybody is in.
pub const ROOM: &str = "bench";

/// A way to be subscribed and to be told of what is published. It keeps no state, so that one serves any number of
/// connections.
pub trait Dialect: Sync {
    /// Path and query of the upgrade.
    fn path(&self) -> &str;

    /// What a client says first.
    fn hello(&self) -> Option<&'static str> {
        None
    }

    /// Whether being connected is being subscribed. Else [`Heard::Subscribed`] follows.
    fn subscribes_at_once(&self) -> bool;

    /// What a line of a frame is.
    fn hear<'a>(&self, line: &'a str) -> Heard<'a>;
}

impl Dialect for Relay {
    fn path(&self) -> &str {
        Self::path(*self)
    }

    fn subscribes_at_once(&self) -> bool {
        Self::subscribes_at_once(*self)
    }

    fn hear<'a>(&self, line: &'a str) -> Heard<'a> {
        Self::hear(*self, line)
    }
}

/// A plain room of our server.
#[derive(Clone, Copy, Debug)]
pub struct PlainRoom;

impl Dialect for PlainRoom {
    fn path(&self) -> &'static str {
        "/rooms/bench"
    }

    fn subscribes_at_once(&self) -> bool {
        true
    }

    fn hear<'a>(&self, line: &'a str) -> Heard<'a> {
        Heard::Delivery(line.into())
    }
}

/// A session of the Centrifugo protocol with our server, subscribed to one room.
#[derive(Clone, Copy, Debug)]
pub struct Session;

impl Dialect for Session {
    fn path(&self) -> &'static str {
        "/connection/websocket"
    }

    fn hello(&self) -> Option<&'static str> {
        Some(r#"{"id":1,"connect":{}}"#)
    }

    fn subscribes_at_once(&self) -> bool {
        false
    }

    fn hear<'a>(&self, line: &'a str) -> Heard<'a> {
        let delivery = line
            .strip_prefix(r#"{"push":{"channel":"bench","pub":{"data":""#)
            .and_then(|rest| rest.split_once('"'));
        match delivery {
            Some((text, _)) => Heard::Delivery(text.into()),
            None if line == "{}" => Heard::Say("{}"),
            None if line.starts_with(r#"{"id":1,"connect""#) => {
                Heard::Say(r#"{"id":2,"subscribe":{"channel":"bench"}}"#)
            }
            None if line.starts_with(r#"{"id":2,"subscribe""#) => Heard::Subscribed,
            None => Heard::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialect as _, Heard, Session};

    #[test]
    fn a_session_is_answered_and_read() {
        let hear = |line| Session.hear(line);
        let connected = hear(r#"{"id":1,"connect":{"client":"a","version":"0.1.0"}}"#);
        assert!(matches!(connected, Heard::Say(line) if line.contains("subscribe")));
        assert_eq!(hear(r#"{"id":2,"subscribe":{}}"#), Heard::Subscribed);
        assert_eq!(hear("{}"), Heard::Say("{}"));
        let push = r#"{"push":{"channel":"bench","pub":{"data":"hi","offset":4}}}"#;
        assert_eq!(hear(push), Heard::Delivery("hi".into()));
        assert_eq!(hear(r#"{"id":2,"error":{"code":103}}"#), Heard::Nothing);
    }
}
