//! What a server sends: replies to commands, and pushes. Empty fields are left out, as the protocol wants it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{ClientError, Unsubscribe};

/// Whether a value is the default of its type.
fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The answer to `connect`.
#[derive(Debug, Default, Serialize)]
pub struct ConnectResult<'a> {
    /// The connection's id.
    pub client: &'a str,
    /// The server's version.
    pub version: &'a str,
    /// Whether the client must present another token in time.
    #[serde(skip_serializing_if = "is_zero")]
    pub expires: bool,
    /// In how many seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub ttl: u32,
    /// The server-side subscriptions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subs: BTreeMap<String, SubscribeResult>,
    /// How often the server pings, in seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub ping: u32,
    /// Whether it wants answers.
    #[serde(skip_serializing_if = "is_zero")]
    pub pong: bool,
}

/// The answer to `subscribe`.
#[derive(Debug, Default, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "the protocol's own fields")]
pub struct SubscribeResult {
    /// Whether the client must present another token in time.
    #[serde(skip_serializing_if = "is_zero")]
    pub expires: bool,
    /// In how many seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub ttl: u32,
    /// Whether it can recover.
    #[serde(skip_serializing_if = "is_zero")]
    pub recoverable: bool,
    /// The log's epoch.
    #[serde(skip_serializing_if = "is_zero")]
    pub epoch: String,
    /// What was missed, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub publications: Vec<Box<RawValue>>,
    /// Whether that is everything.
    #[serde(skip_serializing_if = "is_zero")]
    pub recovered: bool,
    /// The offset from which on publications come, after those given here.
    #[serde(skip_serializing_if = "is_zero")]
    pub offset: u64,
    /// Whether the server tracks the position.
    #[serde(skip_serializing_if = "is_zero")]
    pub positioned: bool,
    /// What the token has for the subscriber.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
    /// Whether recovery was asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub was_recovering: bool,
}

/// Who a client is, to others.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ClientInfo {
    /// The user; empty if anonymous.
    pub user: String,
    /// The connection.
    pub client: String,
    /// What the connection's token says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conn_info: Option<Box<RawValue>>,
    /// What the channel's token says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chan_info: Option<Box<RawValue>>,
}

/// The answer to `presence`.
#[derive(Debug, Serialize)]
pub struct PresenceResult {
    /// Clients by their id.
    pub presence: BTreeMap<String, Box<RawValue>>,
}

/// The answer to `presence_stats`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PresenceStatsResult {
    /// Connections.
    pub num_clients: u64,
    /// Different users.
    pub num_users: u64,
}

/// The answer to `history`.
#[derive(Debug, Serialize)]
pub struct HistoryResult {
    /// Publications in the order that was asked for.
    pub publications: Vec<Box<RawValue>>,
    /// The log's epoch.
    pub epoch: String,
    /// Its newest offset.
    pub offset: u64,
}

/// The answer to `refresh` and `sub_refresh`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RefreshResult<'a> {
    /// The connection's id, which SDKs take over.
    #[serde(skip_serializing_if = "is_zero")]
    pub client: &'a str,
    /// Whether the new token expires too.
    #[serde(skip_serializing_if = "is_zero")]
    pub expires: bool,
    /// In how many seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub ttl: u32,
}

/// A ping, which is an empty reply.
pub const PING: &str = "{}";

/// The reply to a command. `method` is the command's own name.
pub fn result(id: u32, method: &str, result: &impl Serialize) -> String {
    let result = serde_json::to_string(result).expect("results are always JSON");
    on_one_line(format!(r#"{{"id":{id},"{method}":{result}}}"#))
}

/// The reply to a command that is refused.
pub fn error(id: u32, error: &ClientError) -> String {
    let ClientError {
        code,
        message,
        temporary,
    } = error;
    let message = serde_json::to_string(message).expect("a text is JSON");
    let temporary = if *temporary {
        r#","temporary":true"#
    } else {
        ""
    };
    format!(r#"{{"id":{id},"error":{{"code":{code},"message":{message}{temporary}}}}}"#)
}

/// A push. `kind` says of what, and `body` is JSON.
pub fn push(channel: &str, kind: &str, body: &str) -> String {
    let channel = serde_json::to_string(channel).expect("a text is JSON");
    on_one_line(format!(
        r#"{{"push":{{"channel":{channel},"{kind}":{body}}}}}"#
    ))
}

/// The push that ends a subscription.
pub fn unsubscribed(channel: &str, why: Unsubscribe) -> String {
    let (code, reason) = (why.code(), why.reason());
    let body = format!(r#"{{"code":{code},"reason":"{reason}"}}"#);
    push(channel, "unsubscribe", &body)
}

/// A publication of a job channel: its data is the event.
pub fn event_publication(event: &str, offset: u64) -> String {
    on_one_line(format!(r#"{{"data":{event},"offset":{offset}}}"#))
}

/// A publication of a room, an object as it is in the log, with its offset if it has one.
pub fn room_publication(publication: &str, offset: u64) -> String {
    if offset == 0 {
        return publication.to_owned();
    }
    let members = publication.trim_end();
    let members = members.strip_suffix('}').unwrap_or(members);
    on_one_line(format!(r#"{members},"offset":{offset}}}"#))
}

/// Messages are separated by line breaks. A bare one in JSON is nothing but space: in texts it is escaped.
fn on_one_line(json: String) -> String {
    if json.contains('\n') {
        json.replace('\n', " ")
    } else {
        json
    }
}
