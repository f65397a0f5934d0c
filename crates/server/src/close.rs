//! Why a connection ends, and what its client is told.
//!
//! Clients decide by the code: 1001 and 1013 mean that connecting again makes sense, at once or in a while.

use protocol::centrifugo::Disconnect;
use tokio_tungstenite::tungstenite::{Error, error::ProtocolError, protocol::CloseFrame};

use crate::Frame;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The server stops; another will serve the client.
    GoingAway,
    /// The client reads more slowly than messages come.
    Slow,
    /// Nothing came from the client, not even an answer to a ping.
    Idle,
    /// The client sent something that should be text and is not.
    NotUtf8,
    /// The client sent a longer message than the limit.
    TooLarge,
    /// The client broke the rules of the WebSocket protocol.
    Protocol,
    /// The client's token is over.
    Expired,
    /// The session's own protocol has a reason.
    Session(Disconnect),
    /// A backend ends it, with this code and a reason that the session knows.
    Asked(u16),
    /// The client ended it, with this code if it gave one.
    Peer(Option<u16>),
    /// The socket ended without a word, or took nothing for too long.
    Gone,
    /// The process ends now.
    Stopped,
}

impl Close {
    /// What a failure to read means.
    pub const fn of_error(error: &Error) -> Self {
        match error {
            Error::Utf8(_) => Self::NotUtf8,
            Error::Capacity(_) => Self::TooLarge,
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Io(_)
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Gone,
            _ => Self::Protocol,
        }
    }

    /// What a client's close frame means.
    pub fn of_peer(frame: Option<&CloseFrame>) -> Self {
        Self::Peer(frame.map(|frame| frame.code.into()))
    }

    /// The code of the close frame, or the one that the RFC has for an end without one.
    pub const fn code(self) -> u16 {
        match self {
            Self::Peer(Some(code)) | Self::Asked(code) => code,
            Self::Session(why) => why.code(),
            Self::Peer(None) => 1005,
            Self::GoingAway | Self::Idle => 1001,
            Self::Protocol => 1002,
            Self::Gone | Self::Stopped => 1006,
            Self::NotUtf8 => 1007,
            Self::Expired => 1008,
            Self::TooLarge => 1009,
            Self::Slow => 1013,
        }
    }

    /// The cause in one word, for metrics.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::GoingAway => "going_away",
            Self::Slow => "slow",
            Self::Idle => "idle",
            Self::NotUtf8 => "not_utf8",
            Self::Expired => "expired",
            Self::TooLarge => "too_large",
            Self::Protocol => "protocol",
            Self::Session(_) => "session",
            Self::Asked(_) => "asked",
            Self::Peer(_) => "peer",
            Self::Gone => "gone",
            Self::Stopped => "stopped",
        }
    }

    /// The frame that ends the connection; none where nobody would read it.
    pub fn frame(self) -> Option<Frame> {
        let reason = match self {
            Self::GoingAway => "going away: reconnect",
            Self::Slow => "slow: reconnect",
            Self::Idle => "nothing received: reconnect",
            Self::NotUtf8 => "not UTF-8",
            Self::Expired => "token expired",
            Self::TooLarge => "message too large",
            Self::Protocol => "protocol error",
            Self::Session(why) => why.reason(),
            Self::Asked(code) => return Some(Frame::close(Some(code), "disconnected")),
            Self::Peer(code) => return Some(Frame::close(code, "")),
            Self::Gone | Self::Stopped => return None,
        };
        Some(Frame::close(Some(self.code()), reason))
    }
}

#[cfg(test)]
mod tests {
    use super::Close;
    use crate::Frame;

    #[test]
    fn a_clients_code_is_echoed() {
        assert_eq!(
            Close::Peer(Some(4000)).frame(),
            Some(Frame::close(Some(4000), ""))
        );
        assert_eq!(Close::Peer(None).frame(), Some(Frame::close(None, "")));
        assert_eq!(Close::of_peer(None).code(), 1005);
    }

    #[test]
    fn nothing_is_sent_to_who_is_gone() {
        assert_eq!(Close::Gone.frame(), None);
        assert_eq!(Close::Stopped.frame(), None);
    }
}
