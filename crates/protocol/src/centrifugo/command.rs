//! What a client sends: commands, one or more in a frame, one a line.
//!
//! Reads only what its rules need. Fields that it does not know are ignored, since newer clients add some.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::object::object;

/// One command.
#[derive(Debug)]
pub struct Command<'a> {
    /// What its reply is to carry; 0 where none is wanted.
    pub id: u32,
    /// What is asked for.
    pub method: Method<'a>,
}

/// What is asked for.
#[derive(Debug)]
#[allow(missing_docs, reason = "the methods of the protocol")]
pub enum Method<'a> {
    Connect(Box<Connect<'a>>),
    Ping,
    /// The answer to a ping of the server: an object without id and method.
    Pong,
    Subscribe(Box<Subscribe<'a>>),
    Unsubscribe(Named<'a>),
    Publish(Publish<'a>),
    Presence(Named<'a>),
    PresenceStats(Named<'a>),
    History(History<'a>),
    Rpc(Rpc<'a>),
    Send(Send<'a>),
    Refresh(Refresh<'a>),
    SubRefresh(SubRefresh<'a>),
}

/// Opens the session. The first command of a connection.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Connect<'a> {
    /// The connection token.
    #[serde(borrow)]
    pub token: Cow<'a, str>,
    /// Where server-side subscriptions of the session before were.
    #[serde(borrow)]
    pub subs: std::collections::BTreeMap<Cow<'a, str>, Recover<'a>>,
    /// What the client calls itself.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Its version.
    #[serde(borrow)]
    pub version: Cow<'a, str>,
}

/// Where a subscription goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Recover<'a> {
    /// Whether what was missed is asked for.
    pub recover: bool,
    /// The offset of what came last.
    pub offset: u64,
    /// The epoch that it belongs to; empty means any.
    #[serde(borrow)]
    pub epoch: Cow<'a, str>,
}

/// Subscribes to a channel.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools, reason = "the protocol's own fields")]
pub struct Subscribe<'a> {
    /// The channel.
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
    /// A token for it.
    #[serde(borrow)]
    pub token: Cow<'a, str>,
    /// Whether what was missed is asked for.
    pub recover: bool,
    /// The offset of what came last.
    pub offset: u64,
    /// The epoch that it belongs to; empty means any.
    #[serde(borrow)]
    pub epoch: Cow<'a, str>,
    /// Whether the server should track its position.
    pub positioned: bool,
    /// Whether it should be able to recover.
    pub recoverable: bool,
    /// Whether to be told who comes and goes.
    pub join_leave: bool,
    /// Bit 2: rather an error than a subscription that could not recover.
    pub flag: i64,
    /// A filter, which is not supported.
    #[serde(borrow)]
    pub tf: Option<&'a RawValue>,
    /// A kind of subscription; only 0 is supported.
    #[serde(rename = "type")]
    pub kind: i32,
}

/// Names a channel, and nothing else.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Named<'a> {
    /// The channel.
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
}

/// Publishes into a channel.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Publish<'a> {
    /// The channel.
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
    /// Any JSON value.
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
    /// A kind of publication; only 0 is supported.
    #[serde(rename = "type")]
    pub kind: i32,
}

/// Reads the history of a channel.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct History<'a> {
    /// The channel.
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
    /// At most how many; 0 for none but the position, -1 for all.
    pub limit: i32,
    /// From where on.
    #[serde(borrow, deserialize_with = "object")]
    pub since: Option<Since<'a>>,
    /// Newest first.
    pub reverse: bool,
}

/// A place in a channel's history.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Since<'a> {
    /// The offset.
    pub offset: u64,
    /// The epoch.
    #[serde(borrow)]
    pub epoch: Cow<'a, str>,
}

/// Calls a method of the application.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Rpc<'a> {
    /// Its name.
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    /// What it is given.
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
}

/// Sends something that gets no reply.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Send<'a> {
    /// Any JSON value.
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
}

/// Presents a new connection token.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Refresh<'a> {
    /// The token.
    #[serde(borrow)]
    pub token: Cow<'a, str>,
}

/// Presents a new token for a channel.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SubRefresh<'a> {
    /// The channel.
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
    /// The token.
    #[serde(borrow)]
    pub token: Cow<'a, str>,
    /// A kind of subscription; only 0 is supported.
    #[serde(rename = "type")]
    pub kind: i32,
}

/// A frame that breaks the rules; the connection is closed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadFrame {
    /// Nothing is in it, or an empty line.
    #[error("an empty command")]
    Empty,
    /// A line is no JSON object of this form.
    #[error("a command that can't be read")]
    Json,
    /// There is an id and no method that is known.
    #[error("a command without a method")]
    NoMethod,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Line<'a> {
    id: u32,
    #[serde(borrow, deserialize_with = "object")]
    connect: Option<Box<Connect<'a>>>,
    ping: Option<serde::de::IgnoredAny>,
    #[serde(borrow, deserialize_with = "object")]
    subscribe: Option<Box<Subscribe<'a>>>,
    #[serde(borrow, deserialize_with = "object")]
    unsubscribe: Option<Named<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    publish: Option<Publish<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    presence: Option<Named<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    presence_stats: Option<Named<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    history: Option<History<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    rpc: Option<Rpc<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    send: Option<Send<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    refresh: Option<Refresh<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    sub_refresh: Option<SubRefresh<'a>>,
}

impl<'a> Command<'a> {
    /// Reads one line.
    pub fn parse(line: &'a str) -> Result<Self, BadFrame> {
        if line.trim().is_empty() {
            return Err(BadFrame::Empty);
        }
        // A pong is most of what clients send.
        if line == "{}" {
            let (id, method) = (0, Method::Pong);
            return Ok(Self { id, method });
        }
        // An array would be taken for a struct's fields.
        if !line.trim_start().starts_with('{') {
            return Err(BadFrame::Json);
        }
        let line: Line<'a> = serde_json::from_str(line).map_err(|_| BadFrame::Json)?;
        let id = line.id;
        let method = if id == 0 {
            // Whatever else it has: only `send` wants no reply.
            line.send.map_or(Method::Pong, Method::Send)
        } else {
            line.method().ok_or(BadFrame::NoMethod)?
        };
        Ok(Self { id, method })
    }
}

impl<'a> Line<'a> {
    /// The first method, in the order of the protocol.
    fn method(self) -> Option<Method<'a>> {
        None.or_else(|| self.connect.map(Method::Connect))
            .or_else(|| self.ping.map(|_| Method::Ping))
            .or_else(|| self.subscribe.map(Method::Subscribe))
            .or_else(|| self.unsubscribe.map(Method::Unsubscribe))
            .or_else(|| self.publish.map(Method::Publish))
            .or_else(|| self.presence.map(Method::Presence))
            .or_else(|| self.presence_stats.map(Method::PresenceStats))
            .or_else(|| self.history.map(Method::History))
            .or_else(|| self.rpc.map(Method::Rpc))
            .or_else(|| self.send.map(Method::Send))
            .or_else(|| self.refresh.map(Method::Refresh))
            .or_else(|| self.sub_refresh.map(Method::SubRefresh))
    }
}

/// The commands of a frame, each on its own: one that can't be read does not undo those before it.
pub fn commands(frame: &str) -> impl Iterator<Item = Result<Command<'_>, BadFrame>> {
    // One line break at the end is tolerated.
    let frame = frame.strip_suffix('\n').unwrap_or(frame);
    frame.split('\n').map(Command::parse)
}
