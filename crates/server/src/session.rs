//! What a protocol is to a connection: something that is given texts.
//!
//! A session answers through its connection's outbox. It sees no socket, and a connection sees no protocol.

use std::future::Future;

use tokio::time::Instant;

use crate::{Close, Frame, Outbox};

/// The protocol state on one connection.
pub trait Session: Send {
    /// Deals with a text from the client; an error ends the connection. While it waits, nothing more is read: that is how
    /// a client that sends more than can be taken is slowed down.
    fn on_text(&mut self, text: &str) -> impl Future<Output = Result<(), Close>> + Send;

    /// Deals with a binary message. Unless a protocol has its own use for them, one is as good as a text.
    fn on_binary(&mut self, bytes: &[u8]) -> impl Future<Output = Result<(), Close>> + Send {
        async move {
            match std::str::from_utf8(bytes) {
                Ok(text) => self.on_text(text).await,
                Err(_) => Err(Close::NotUtf8),
            }
        }
    }

    /// Waits until everything that was handed in is answered, into the outbox.
    fn settle(&mut self) -> impl Future<Output = ()> + Send;

    /// When [`Self::on_time`] wants to be called next, if ever.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Does what is due by now; an error ends the connection.
    fn on_time(&mut self, _now: Instant) -> impl Future<Output = Result<(), Close>> + Send {
        std::future::ready(Ok(()))
    }

    /// Does what was asked of it from outside, after a poke of its outbox; an error ends the connection.
    fn on_poke(&mut self) -> impl Future<Output = Result<(), Close>> + Send {
        std::future::ready(Ok(()))
    }

    /// Has a ping sent.
    fn ping(&mut self, outbox: &Outbox) {
        outbox.ping();
    }

    /// What the client is told when its connection ends.
    fn farewell(&self, close: Close) -> Close {
        close
    }

    /// The frame that says so; none where nobody would read it.
    fn last_frame(&self, told: Close) -> Option<Frame> {
        told.frame()
    }

    /// The connection has ended.
    fn ended(&mut self, _close: Close) {}
}
