//! The reading half of a WebSocket: bytes in, messages out, by the rules of RFC 6455.
//!
//! What a header and a code look like, tungstenite knows; the reading is done here, because its reader keeps a buffer. Here
//! none is held between two messages, where most connections are most of the time. Answers nothing, neither a ping nor a
//! close: what is written goes through the connection's outbox.

mod message;

use std::{
    future::{Future as _, poll_fn},
    io::Cursor,
    pin::pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    error::{CapacityError, ProtocolError},
    protocol::frame::{
        FrameHeader,
        coding::{Control, Data, OpCode},
    },
};

use self::message::{Fragments, close, text};

/// How much is read at once, in bytes, unless more of a message is known to come: a few chat messages.
const READ: usize = 1024;
/// How much room is made at once for the rest of a longer message, whatever length its header claims.
const MOST: usize = 64 * 1024;
/// The most that a control frame carries, in bytes.
const MAX_CONTROL: usize = 125;

/// Reads messages from one socket.
pub struct Inbound<R> {
    reader: R,
    /// What was read and is no whole frame yet.
    buffer: BytesMut,
    /// The parts of a message that is not whole yet.
    fragments: Option<Box<Fragments>>,
    max_bytes: usize,
    /// Whether the client has said its last word.
    closed: bool,
}

/// A frame's payload, unmasked, and what it is.
struct Payload {
    opcode: OpCode,
    is_final: bool,
    bytes: BytesMut,
}

impl<R: AsyncRead + Unpin> Inbound<R> {
    /// Reads from `reader`, of which `part` was already read. Longer messages than `max_bytes` are an error.
    pub fn new(reader: R, part: &[u8], max_bytes: usize) -> Self {
        Self {
            reader,
            buffer: BytesMut::from(part),
            fragments: None,
            max_bytes,
            closed: false,
        }
    }

    /// The next message. After an error there is none, but [`Self::discard`] still works.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Message, Error> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Error>> {
        if self.closed {
            return Poll::Ready(Err(Error::ConnectionClosed));
        }
        loop {
            let missing = match self.frame()? {
                Ok(payload) => match self.message(payload)? {
                    Some(message) => return Poll::Ready(Ok(message)),
                    None => continue,
                },
                Err(missing) => missing,
            };
            if ready!(self.poll_read(cx, missing))? == 0 {
                let error = ProtocolError::ResetWithoutClosingHandshake;
                return Poll::Ready(Err(error.into()));
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, missing: usize) -> Poll<std::io::Result<usize>> {
        self.buffer.reserve(missing.clamp(READ, MOST));
        let read = pin!(self.reader.read_buf(&mut self.buffer)).poll(cx);
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        read
    }

    /// The next frame, or how many bytes of it are missing at least.
    fn frame(&mut self) -> Result<Result<Payload, usize>, Error> {
        let mut cursor = Cursor::new(&self.buffer);
        let Some((header, length)) = FrameHeader::parse(&mut cursor)? else {
            return Ok(Err(1));
        };
        let begin = usize::try_from(cursor.position()).expect("a header is short");
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.max_bytes {
            return Err(too_long(length, self.max_bytes));
        }
        let Some(mask) = header.mask else {
            return Err(ProtocolError::UnmaskedFrameFromClient.into());
        };
        // No extension is negotiated that would give them a meaning.
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(ProtocolError::NonZeroReservedBits.into());
        }
        if matches!(header.opcode, OpCode::Control(_)) {
            if !header.is_final {
                return Err(ProtocolError::FragmentedControlFrame.into());
            }
            if length > MAX_CONTROL {
                return Err(ProtocolError::ControlFrameTooBig.into());
            }
        }
        let missing = (begin + length).saturating_sub(self.buffer.len());
        if missing > 0 {
            return Ok(Err(missing));
        }
        self.buffer.advance(begin);
        let mut bytes = self.buffer.split_to(length);
        unmask(&mut bytes, mask);
        Ok(Ok(Payload {
            opcode: header.opcode,
            is_final: header.is_final,
            bytes,
        }))
    }

    /// The message that a frame is, or that it completes.
    fn message(&mut self, payload: Payload) -> Result<Option<Message>, Error> {
        let Payload {
            opcode,
            is_final,
            bytes,
        } = payload;
        let data = match opcode {
            OpCode::Control(Control::Ping) => return Ok(Some(Message::Ping(bytes.freeze()))),
            OpCode::Control(Control::Pong) => return Ok(Some(Message::Pong(bytes.freeze()))),
            OpCode::Control(Control::Close) => {
                self.closed = true;
                return close(&bytes.freeze()).map(|close| Some(Message::Close(close)));
            }
            OpCode::Control(Control::Reserved(code)) => {
                return Err(ProtocolError::UnknownControlFrameType(code).into());
            }
            OpCode::Data(data) => data,
        };
        match (data, self.fragments.take()) {
            (Data::Text, None) if is_final => text(bytes.freeze()).map(Some),
            (Data::Binary, None) if is_final => Ok(Some(Message::Binary(bytes.freeze()))),
            (Data::Text | Data::Binary, None) => {
                let fragments = Fragments::begin(matches!(data, Data::Text), &bytes)?;
                self.fragments = Some(Box::new(fragments));
                Ok(None)
            }
            (Data::Continue, Some(mut fragments)) => {
                fragments.add(&bytes, self.max_bytes)?;
                if is_final {
                    return fragments.end().map(Some);
                }
                self.fragments = Some(fragments);
                Ok(None)
            }
            (Data::Continue, None) => Err(ProtocolError::UnexpectedContinueFrame.into()),
            (data, Some(_)) => Err(ProtocolError::ExpectedFragment(data).into()),
            (Data::Reserved(code), None) => Err(ProtocolError::UnknownDataFrameType(code).into()),
        }
    }

    /// Reads and forgets until the peer has closed its side.
    ///
    /// A socket that is closed with unread bytes is reset, and the reset would overtake a close frame.
    pub async fn discard(&mut self) {
        let mut buffer = vec![0; 4096];
        while self.reader.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
    }
}

fn too_long(size: usize, max_size: usize) -> Error {
    CapacityError::MessageTooLong { size, max_size }.into()
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    // As whole words for as long as there are some.
    let word = u64::from(u32::from_ne_bytes(mask)) * 0x1_0000_0001;
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests;
