//! The Centrifugo client protocol, version 2, in JSON: what its SDKs speak.
//!
//! Only what crosses the wire. What a command may do is the server's business.

mod code;
mod command;
mod object;
mod reply;

pub use code::{ClientError, Disconnect, Unsubscribe};
pub use command::{
    BadFrame, Command, Connect, History, Method, Named, Publish, Recover, Refresh, Rpc, Send,
    Since, SubRefresh, Subscribe, commands,
};
pub use reply::{
    ClientInfo, ConnectResult, HistoryResult, PING, PresenceResult, PresenceStatsResult,
    RefreshResult, SubscribeResult, error, event_publication, push, result, room_publication,
    unsubscribed,
};

#[cfg(test)]
mod tests;
