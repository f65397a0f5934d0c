//! How one speaks with a gateway: where to connect, what to say to be subscribed, what a frame is.

use protocol::{CHAT_QUEUE, JobId};

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

    /// Whether it is a stream of server-sent events, on which clients say nothing. Else it is a WebSocket.
    fn is_stream(&self) -> bool {
        false
    }

    /// What a line of a frame is, or the data of an event.
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

/// Streams of the events of one job, over HTTP: what its handler says is what all get.
#[derive(Clone, Debug)]
pub struct JobStream {
    path: String,
}

impl JobStream {
    /// Streams of a job of the queue `chat`.
    pub fn of(job: JobId) -> Self {
        Self {
            path: format!("/v1/queues/{CHAT_QUEUE}/jobs/{job}/events"),
        }
    }
}

impl Dialect for JobStream {
    fn path(&self) -> &str {
        &self.path
    }

    fn subscribes_at_once(&self) -> bool {
        true
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn hear<'a>(&self, event: &'a str) -> Heard<'a> {
        let rest = event.strip_prefix(r#"{"type":""#).unwrap_or_default();
        if rest.starts_with(r#"queued""#) || rest.starts_with(r#"started""#) {
            return Heard::Nothing;
        }
        let said = rest
            .strip_prefix(r#"chunk""#)
            .and_then(|rest| rest.split_once(r#","data":""#))
            .and_then(|(_, data)| data.strip_suffix(r#""}"#));
        // What is lost or ends the job is nothing that was sent, and is taken for that.
        Heard::Delivery(said.unwrap_or(event).into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialect as _, Heard, JobId, JobStream, Session};

    #[test]
    fn a_stream_tells_what_the_job_says() {
        let stream = JobStream::of(JobId::from_parts(1, 1));
        assert!(stream.path().ends_with("/events"));
        let queued = r#"{"type":"queued","job":"a","kind":"chat","attempt":0,"time":1}"#;
        assert_eq!(stream.hear(queued), Heard::Nothing);
        let chunk = r#"{"type":"chunk","job":"a","kind":"chat","attempt":1,"time":1,"data":"hi"}"#;
        assert_eq!(stream.hear(chunk), Heard::Delivery("hi".into()));
        let gap = r#"{"type":"gap"}"#;
        assert_eq!(stream.hear(gap), Heard::Delivery(gap.into()));
    }

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
