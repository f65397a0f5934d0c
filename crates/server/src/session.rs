//! What a protocol is to a connection: something that is given texts.
//!
//! A session answers through its connection's outbox. It sees no socket, and a connection sees no protocol.

use std::future::Future;

/// The protocol state on one connection.
pub trait Session: Send {
    /// Deals with a text from the client. While it waits, nothing more is read: that is how a client that sends
    /// more than can be taken is slowed down.
    fn on_text(&mut self, text: &str) -> impl Future<Output = ()> + Send;

    /// Waits until everything that was handed in is answered, into the outbox.
    fn settle(&mut self) -> impl Future<Output = ()> + Send;
}
