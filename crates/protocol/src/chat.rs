//! The one built-in kind of job: a chat message, as the plain protocol makes it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The queue that the plain protocol submits to.
pub const CHAT_QUEUE: &str = "chat";
/// The kind of the jobs that the plain protocol submits.
pub const CHAT_KIND: &str = "chat";
/// The topic that all plain clients share, so that every one of them sees every message.
pub const LOBBY_TOPIC: &str = "lobby";

/// What a chat job carries: the text that the client typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatPayload<'a> {
    /// The message, as the client meant it (see [`crate::plain::parse`]).
    pub msg: Cow<'a, str>,
}

/// What a chat job results in. It is also the frame that plain clients get, with exactly these two keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatResult<'a> {
    /// The processed message.
    pub msg: Cow<'a, str>,
    /// When the worker processed it, in milliseconds since the Unix epoch.
    pub time: u64,
}
