//! A connection that is subscribed to something: a WebSocket, or a stream of server-sent events.

use anyhow::{bail, ensure};
use mio::{Registry, Token};

use super::{
    dialect::Dialect,
    events::Events,
    frame::{self, Kind},
    http::{Answer, Piece},
    socket::{Scratch, Socket},
};

/// The key and what a server must make of it, out of RFC 6455: whoever answers so has read the request.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A request that is answered with more is not answered by a server of ours or of a peer.
const MAX_HEAD: usize = 16 * 1024;

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Socket,
    /// Whether the server has taken it.
    open: bool,
    form: Form,
}

/// In which form texts come.
#[derive(Debug)]
enum Form {
    Frames,
    Stream(Answer, Events),
}

impl Connection {
    /// Connects to a port of this machine and asks for the upgrade; the answer is the first thing that is read.
    pub(crate) fn begin(
        port: u16,
        path: &str,
        registry: &Registry,
        token: Token,
    ) -> anyhow::Result<Self> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        Self::ask(port, &request, Form::Frames, registry, token)
    }

    /// The same in the way of a dialect, which may want a stream.
    pub(crate) fn begin_in(
        dialect: &dyn Dialect,
        port: u16,
        registry: &Registry,
        token: Token,
    ) -> anyhow::Result<Self> {
        let path = dialect.path();
        if !dialect.is_stream() {
            return Self::begin(port, path, registry, token);
        }
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n"
        );
        let form = Form::Stream(Answer::default(), Events::default());
        Self::ask(port, &request, form, registry, token)
    }

    fn ask(
        port: u16,
        request: &str,
        form: Form,
        registry: &Registry,
        token: Token,
    ) -> anyhow::Result<Self> {
        let mut socket = Socket::connect(port, registry, token)?;
        socket.out().extend_from_slice(request.as_bytes());
        socket.flush()?;
        Ok(Self {
            socket,
            open: false,
            form,
        })
    }

    /// Whether the server has taken it.
    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    /// Puts a text where it goes out with the next flush.
    pub(crate) fn push(&mut self, text: &[u8]) {
        frame::push(self.socket.out(), Kind::Text, text);
    }

    /// Writes as much as the socket takes now. What is left goes out when it is flushed again.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        self.socket.flush()
    }

    /// Reads all there is and hands on every text: a frame's, or an event's data. Pings are answered.
    pub(crate) fn read(
        &mut self,
        scratch: &mut Scratch,
        mut on_text: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Self { socket, open, form } = self;
        socket.read(scratch, |bytes, out| match form {
            Form::Frames => frames(open, bytes, out, &mut on_text),
            Form::Stream(answer, events) => answer.take(bytes, |piece| match piece {
                Piece::Head(status) => {
                    ensure!(status == 200, "the server refuses the stream with {status}");
                    *open = true;
                    Ok(())
                }
                Piece::Body(part) => events.take(part, |event| on_text(event.data.as_bytes())),
                Piece::End => bail!("the server ended the stream"),
            }),
        })
    }
}

/// Handles what is there as a whole; returns how much that is.
fn frames(
    open: &mut bool,
    bytes: &[u8],
    out: &mut Vec<u8>,
    on_text: &mut impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let mut used = 0;
    if !*open {
        let Some(head) = head(bytes)? else {
            return Ok(0);
        };
        *open = true;
        used = head;
    }
    while let Some(frame) = frame::first(&bytes[used..])? {
        used += frame.bytes;
        match frame.kind {
            Kind::Text => on_text(frame.payload)?,
            Kind::Ping => frame::push(out, Kind::Pong, frame.payload),
            Kind::Pong => {}
            Kind::Close => bail!("the server closed the connection: {}", close(frame.payload)),
            Kind::Binary => bail!("the server sent a binary frame"),
        }
    }
    Ok(used)
}

/// How long the answer to the upgrade is, if it is there as a whole.
fn head(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
        ensure!(
            bytes.len() < MAX_HEAD,
            "the answer to the upgrade has no end"
        );
        return Ok(None);
    };
    let head = &bytes[..end];
    let taken =
        head.starts_with(b"HTTP/1.1 101 ") && head.windows(ACCEPT.len()).any(|part| part == ACCEPT);
    ensure!(
        taken,
        "the server refuses the upgrade: {}",
        String::from_utf8_lossy(head)
    );
    Ok(Some(end + 4))
}

/// What a close frame says.
fn close(payload: &[u8]) -> String {
    match payload {
        [one, two, reason @ ..] => {
            let code = u16::from_be_bytes([*one, *two]);
            format!("{code} {}", String::from_utf8_lossy(reason))
        }
        _ => "without a code".to_owned(),
    }
}
