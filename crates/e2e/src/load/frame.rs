//! Frames of RFC 6455 as a client needs them: its own are made ready to be sent, and a server's are found in what was
//! read.
//!
//! Not for the open internet: the mask is always the same, and a message in several frames is refused, since no server
//! that is measured here sends one.

/// Masks are there for proxies that take a frame for something else. There are none here.
const MASK: [u8; 4] = [0x5a, 0x3c, 0x96, 0xe1];
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Kind {
    const fn opcode(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    fn of(opcode: u8) -> Option<Self> {
        let all = [
            Self::Text,
            Self::Binary,
            Self::Close,
            Self::Ping,
            Self::Pong,
        ];
        all.into_iter().find(|kind| kind.opcode() == opcode)
    }
}

/// A server's frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: Kind,
    pub(crate) payload: &'a [u8],
    /// How many bytes it takes, head and all.
    pub(crate) bytes: usize,
}

/// Bytes that are no frame that a server may send to this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame begins with {0:#04x} {1:#04x}, which this client does not take")]
pub(crate) struct BadFrame(u8, u8);

/// The frame that the bytes begin with, if it is there as a whole.
pub(crate) fn first(bytes: &[u8]) -> Result<Option<Frame<'_>>, BadFrame> {
    let [one, two, ..] = *bytes else {
        return Ok(None);
    };
    let bad = BadFrame(one, two);
    let kind = Kind::of(one & 0x0f).ok_or(bad)?;
    if one & 0xf0 != FINAL || two & MASKED != 0 {
        return Err(bad);
    }
    let (head, length) = match two {
        126 => match bytes.get(2..4) {
            Some(length) => (4, usize::from(u16::from_be_bytes([length[0], length[1]]))),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|length| length.try_into().ok()) {
            Some(length) => {
                let length = usize::try_from(u64::from_be_bytes(length)).map_err(|_| bad)?;
                (10, length)
            }
            None => return Ok(None),
        },
        length => (2, usize::from(length)),
    };
    let end = head + length;
    Ok(bytes.get(head..end).map(|payload| Frame {
        kind,
        payload,
        bytes: end,
    }))
}

/// Appends a frame of a client.
pub(crate) fn push(out: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    out.push(FINAL | kind.opcode());
    let length = payload.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => out.push(MASKED | short),
        (_, Ok(length)) => {
            out.push(MASKED + 126);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(MASKED + 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    let masks = MASK.iter().cycle();
    out.extend(payload.iter().zip(masks).map(|(byte, mask)| byte ^ mask));
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::{
        Message,
        protocol::{Role, WebSocket},
    };

    use super::{BadFrame, Kind, first, push};

    fn server(kind: Kind, payload: &[u8]) -> Vec<u8> {
        let mut socket =
            WebSocket::from_raw_socket(std::io::Cursor::new(Vec::new()), Role::Server, None);
        let message = match kind {
            Kind::Text => Message::text(String::from_utf8(payload.to_vec()).unwrap()),
            Kind::Ping => Message::Ping(payload.to_vec().into()),
            _ => Message::binary(payload.to_vec()),
        };
        socket.send(message).unwrap();
        socket.get_ref().get_ref().clone()
    }

    #[test]
    fn a_frame_is_found_however_it_is_cut() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = vec![b'x'; length];
            let bytes = server(Kind::Text, &payload);
            let cuts = (0..bytes.len()).step_by(1 + length / 50);
            for cut in cuts {
                assert_eq!(first(&bytes[..cut]), Ok(None), "{length} cut at {cut}");
            }
            let mut more = bytes.clone();
            more.extend(server(Kind::Ping, b"next"));
            let frame = first(&more).unwrap().unwrap();
            assert_eq!((frame.kind, frame.bytes), (Kind::Text, bytes.len()));
            assert_eq!(frame.payload, payload);
            let next = first(&more[frame.bytes..]).unwrap().unwrap();
            assert_eq!((next.kind, next.payload), (Kind::Ping, &b"next"[..]));
        }
    }

    #[test]
    fn what_is_no_frame_for_this_client_is_refused() {
        // A part of a message, a compressed one, an unknown kind, one that is masked.
        for (one, two) in [(0x01, 0), (0xc1, 0), (0x83, 0), (0x81, 0x80)] {
            assert_eq!(first(&[one, two]), Err(BadFrame(one, two)));
        }
    }

    #[test]
    fn a_server_reads_what_is_pushed() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536] {
            let text = "y".repeat(length);
            let mut bytes = Vec::new();
            push(&mut bytes, Kind::Text, text.as_bytes());
            let cursor = std::io::Cursor::new(bytes);
            let mut socket = WebSocket::from_raw_socket(cursor, Role::Server, None);
            assert_eq!(socket.read().unwrap(), Message::text(text));
        }
    }
}
