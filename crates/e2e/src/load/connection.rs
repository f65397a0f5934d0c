//! A WebSocket connection that never waits: what can't be written now is kept, what has not come whole too.

use std::io::{ErrorKind, Read as _, Write as _};

use anyhow::{Context as _, bail, ensure};
use mio::{Interest, Registry, Token, net::TcpStream};

use super::frame::{self, Kind};

/// The key and what a server must make of it, out of RFC 6455: whoever answers so has read the request.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A request that is answered with more is not answered by a server of ours or of a peer.
const MAX_HEAD: usize = 16 * 1024;

/// Where all connections of a thread read into. A frame must fit.
pub(crate) struct Scratch(Vec<u8>);

impl Default for Scratch {
    fn default() -> Self {
        Self(vec![0; 512 * 1024])
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// Whether the server has answered the upgrade.
    open: bool,
    /// The beginning of a frame.
    rest: Vec<u8>,
    out: Vec<u8>,
    written: usize,
}

impl Connection {
    /// Connects to a port of this machine and asks for the upgrade; the answer is the first thing that is read.
    pub(crate) fn begin(
        port: u16,
        path: &str,
        registry: &Registry,
        token: Token,
    ) -> anyhow::Result<Self> {
        // Blocking: on loopback it is there at once, or the server's backlog is full and there is nothing to do
        // but to wait.
        let stream = std::net::TcpStream::connect(("127.0.0.1", port))
            .with_context(|| format!("can't connect to port {port}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        let mut connection = Self {
            stream,
            open: false,
            rest: Vec::new(),
            out: request.into_bytes(),
            written: 0,
        };
        connection.flush()?;
        Ok(connection)
    }

    /// Whether the server has taken it.
    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    /// Puts a text where it goes out with the next flush.
    pub(crate) fn push(&mut self, text: &[u8]) {
        frame::push(&mut self.out, Kind::Text, text);
    }

    /// Writes as much as the socket takes now. What is left goes out when it is flushed again.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("can't write to the server"),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads all there is and hands on every text. Pings are answered.
    pub(crate) fn read(
        &mut self,
        scratch: &mut Scratch,
        mut on_text: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        loop {
            let kept = self.rest.len();
            let (begun, space) = scratch.0.split_at_mut(kept);
            begun.copy_from_slice(&self.rest);
            let room = space.len();
            let count = match self.stream.read(space) {
                Ok(0) => bail!("the server ended the connection"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("can't read from the server"),
            };
            self.rest.clear();
            let bytes = &scratch.0[..kept + count];
            let used = self.take(bytes, &mut on_text)?;
            self.rest.extend_from_slice(&bytes[used..]);
            ensure!(
                self.rest.len() < scratch.0.len(),
                "a frame is longer than {} bytes",
                scratch.0.len()
            );
            if count < room {
                // Nothing is left: if more comes, the poll tells.
                return Ok(());
            }
        }
    }

    /// Handles what is there as a whole; returns how much that is.
    fn take(
        &mut self,
        bytes: &[u8],
        on_text: &mut impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        let mut used = 0;
        if !self.open {
            let Some(head) = head(bytes)? else {
                return Ok(0);
            };
            self.open = true;
            used = head;
        }
        while let Some(frame) = frame::first(&bytes[used..])? {
            used += frame.bytes;
            match frame.kind {
                Kind::Text => on_text(frame.payload)?,
                Kind::Ping => {
                    frame::push(&mut self.out, Kind::Pong, frame.payload);
                    self.flush()?;
                }
                Kind::Pong => {}
                Kind::Close => bail!("the server closed the connection: {}", close(frame.payload)),
                Kind::Binary => bail!("the server sent a binary frame"),
            }
        }
        Ok(used)
    }
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
