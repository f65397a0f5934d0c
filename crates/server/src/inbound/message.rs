//! What the payloads of frames make: whole messages, whose texts are texts.

use std::str;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::{
    Error, Message,
    error::ProtocolError,
    protocol::{
        CloseFrame,
        frame::{Utf8Bytes, coding::CloseCode},
    },
};

use super::too_long;

/// A message that comes in several frames.
pub(super) struct Fragments {
    bytes: Vec<u8>,
    /// Up to where it is known to be UTF-8; absent if it need not be.
    checked: Option<usize>,
}

impl Fragments {
    pub(super) fn begin(is_text: bool, first: &[u8]) -> Result<Self, Error> {
        let mut fragments = Self {
            bytes: first.to_vec(),
            checked: is_text.then_some(0),
        };
        fragments.check()?;
        Ok(fragments)
    }

    /// Adds the next. What is too long or no text is refused as soon as that is certain.
    pub(super) fn add(&mut self, next: &[u8], max_bytes: usize) -> Result<(), Error> {
        let length = self.bytes.len() + next.len();
        if length > max_bytes {
            return Err(too_long(length, max_bytes));
        }
        self.bytes.extend_from_slice(next);
        self.check()
    }

    /// The message.
    pub(super) fn end(self) -> Result<Message, Error> {
        if self.checked.is_some() {
            text(self.bytes.into())
        } else {
            Ok(Message::Binary(self.bytes.into()))
        }
    }

    fn check(&mut self) -> Result<(), Error> {
        if let Some(checked) = &mut self.checked {
            match str::from_utf8(&self.bytes[*checked..]) {
                Ok(text) => *checked += text.len(),
                // A character may be cut by the end of a frame.
                Err(error) if error.error_len().is_none() => *checked += error.valid_up_to(),
                Err(error) => return Err(not_utf8(error)),
            }
        }
        Ok(())
    }
}

pub(super) fn text(bytes: Bytes) -> Result<Message, Error> {
    let text = Utf8Bytes::try_from(bytes).map_err(not_utf8)?;
    Ok(Message::Text(text))
}

/// What a close frame says.
pub(super) fn close(bytes: &Bytes) -> Result<Option<CloseFrame>, Error> {
    let Some((code, reason)) = bytes.split_first_chunk() else {
        return if bytes.is_empty() {
            Ok(None)
        } else {
            Err(ProtocolError::InvalidCloseSequence.into())
        };
    };
    let reason = Utf8Bytes::try_from(bytes.slice_ref(reason)).map_err(not_utf8)?;
    let code = CloseCode::from(u16::from_be_bytes(*code));
    Ok(Some(if code.is_allowed() {
        CloseFrame { code, reason }
    } else {
        // Not to be said again.
        CloseFrame {
            code: CloseCode::Protocol,
            reason: Utf8Bytes::from_static("Protocol violation"),
        }
    }))
}

fn not_utf8(error: str::Utf8Error) -> Error {
    Error::Utf8(error.to_string())
}
