//! A WebSocket frame as it goes over the wire, encoded once and shared by every connection that sends it.
//!
//! A server's frames are not masked, so the same bytes fit all clients. Never reads a frame: that is
//! [`crate::inbound`]'s.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    num::NonZeroU64,
};

use bytes::{BufMut, Bytes, BytesMut};

const FINAL: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
/// The most that a control frame carries, in bytes.
const MAX_CONTROL: usize = 125;
/// The longest header of an unmasked frame, in bytes.
const MAX_HEADER: usize = 10;

/// An encoded frame, or several in a row (`run.rs`). Clones share its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: Bytes,
    count: u32,
    /// What it tells the latest of; a later one of the same makes it superfluous.
    topic: Option<NonZeroU64>,
}

impl Frame {
    /// A text message in one frame.
    pub fn text(text: &str) -> Self {
        Self::encode(TEXT, text.as_bytes())
    }

    /// A binary message in one frame.
    pub fn binary(bytes: &[u8]) -> Self {
        Self::encode(BINARY, bytes)
    }

    /// A ping without payload.
    pub const fn ping() -> Self {
        Self {
            bytes: Bytes::from_static(&[FINAL | PING, 0]),
            count: 1,
            topic: None,
        }
    }

    /// The answer to a ping, which carries the ping's payload.
    pub fn pong(payload: &[u8]) -> Self {
        Self::encode(PONG, &payload[..payload.len().min(MAX_CONTROL)])
    }

    /// The end. Without a code, as an answer to a close without one, it is empty.
    pub fn close(code: Option<u16>, reason: &str) -> Self {
        let Some(code) = code else {
            return Self::encode(CLOSE, &[]);
        };
        let mut end = reason.len().min(MAX_CONTROL - 2);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let mut payload = [0; MAX_CONTROL];
        payload[..2].copy_from_slice(&code.to_be_bytes());
        payload[2..2 + end].copy_from_slice(&reason.as_bytes()[..end]);
        Self::encode(CLOSE, &payload[..2 + end])
    }

    /// So many whole frames.
    pub(crate) const fn several(bytes: Bytes, count: u32) -> Self {
        Self {
            bytes,
            count,
            topic: None,
        }
    }

    /// How many it is: one, but for several in a row.
    pub(crate) const fn count(&self) -> usize {
        self.count as usize
    }

    /// Takes off the frames behind the one that the byte before this place is in.
    pub(crate) fn end_with(&mut self, begun: usize) {
        let (mut end, mut count) = (0, 0);
        while end < begun.min(self.bytes.len()) {
            end += length(&self.bytes[end..]);
            count += 1;
        }
        self.bytes.truncate(end);
        self.count = count;
    }

    /// Its length on the wire, in bytes.
    #[expect(
        clippy::len_without_is_empty,
        reason = "no frame is empty: it has a header"
    )]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Its bytes.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Its bytes, for who only looks.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same frame, which a client that can't keep up may go without if a later one on this subject of the same
    /// channel waits too.
    pub(crate) fn superseded_by(mut self, channel: &str, subject: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (channel, subject).hash(&mut hasher);
        self.topic = NonZeroU64::new(hasher.finish());
        self
    }

    /// What it tells the latest of, if it does.
    pub(crate) const fn topic(&self) -> Option<NonZeroU64> {
        self.topic
    }

    fn encode(opcode: u8, payload: &[u8]) -> Self {
        let mut bytes = BytesMut::with_capacity(MAX_HEADER + payload.len());
        put(&mut bytes, opcode, payload);
        Self::several(bytes.freeze(), 1)
    }
}

/// Writes a text message in one frame.
pub(crate) fn put_text(bytes: &mut BytesMut, text: &str) {
    put(bytes, TEXT, text.as_bytes());
}

fn put(bytes: &mut BytesMut, opcode: u8, payload: &[u8]) {
    bytes.reserve(MAX_HEADER + payload.len());
    bytes.put_u8(FINAL | opcode);
    match payload.len() {
        short @ 0..=125 => bytes.put_u8(u8::try_from(short).expect("at most 125")),
        middle @ 126..=0xFFFF => {
            bytes.put_u8(126);
            bytes.put_u16(u16::try_from(middle).expect("at most 65535"));
        }
        long => {
            bytes.put_u8(127);
            bytes.put_u64(long as u64);
        }
    }
    bytes.put_slice(payload);
}

/// How long the frame is with which these bytes begin, its header included.
fn length(bytes: &[u8]) -> usize {
    let number = |digits: &[u8]| {
        digits
            .iter()
            .fold(0, |n, &digit| n << 8 | usize::from(digit))
    };
    match bytes[1] {
        126 => 4 + number(&bytes[2..4]),
        127 => 10 + number(&bytes[2..10]),
        short => 2 + usize::from(short),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::{
        Message,
        protocol::{Role, WebSocket, frame::coding::CloseCode},
    };

    use super::Frame;

    fn decode(frame: Frame) -> Message {
        let wire = Cursor::new(frame.into_bytes().to_vec());
        WebSocket::from_raw_socket(wire, Role::Client, None)
            .read()
            .unwrap()
    }

    #[test]
    fn a_client_reads_what_was_encoded() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let text = "x".repeat(length);
            assert_eq!(decode(Frame::text(&text)), Message::text(&*text));
            assert_eq!(
                decode(Frame::binary(text.as_bytes())),
                Message::binary(text.into_bytes())
            );
        }
        assert_eq!(decode(Frame::ping()), Message::Ping("".into()));
        assert_eq!(decode(Frame::pong(b"abc")), Message::Pong("abc".into()));
    }

    #[test]
    fn a_close_has_its_code_and_as_much_of_its_reason_as_fits() {
        let Message::Close(Some(close)) = decode(Frame::close(Some(1013), "slow: reconnect"))
        else {
            panic!("no close with a code");
        };
        assert_eq!(close.code, CloseCode::Again);
        assert_eq!(close.reason.as_str(), "slow: reconnect");
        let Message::Close(Some(close)) = decode(Frame::close(Some(1001), &"ä".repeat(90))) else {
            panic!("no close with a code");
        };
        assert_eq!(close.reason.as_str(), "ä".repeat(61));
        assert_eq!(decode(Frame::close(None, "ignored")), Message::Close(None));
    }
}
