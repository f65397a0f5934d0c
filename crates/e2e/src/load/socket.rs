//! A TCP connection that never waits: what can't be written now is kept, what has not come whole too.

use std::io::{ErrorKind, Read as _, Write as _};

use anyhow::{Context as _, bail, ensure};
use mio::{Interest, Registry, Token, net::TcpStream};

/// Where all connections of a thread read into. A frame must fit.
pub(crate) struct Scratch(Vec<u8>);

impl Default for Scratch {
    fn default() -> Self {
        Self(vec![0; 512 * 1024])
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// The beginning of what has not come whole.
    rest: Vec<u8>,
    out: Vec<u8>,
    written: usize,
}

impl Socket {
    /// Connects to a port of this machine.
    pub(crate) fn connect(port: u16, registry: &Registry, token: Token) -> anyhow::Result<Self> {
        // Blocking: on loopback it is there at once, or the server's backlog is full and there is nothing to do
        // but to wait.
        let stream = std::net::TcpStream::connect(("127.0.0.1", port))
            .with_context(|| format!("can't connect to port {port}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            stream,
            rest: Vec::new(),
            out: Vec::new(),
            written: 0,
        })
    }

    /// What goes out with the next flush.
    pub(crate) const fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
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

    /// Reads all there is. `take` is handed what came, returns how much of it was whole, and may answer.
    pub(crate) fn read(
        &mut self,
        scratch: &mut Scratch,
        mut take: impl FnMut(&[u8], &mut Vec<u8>) -> anyhow::Result<usize>,
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
            let used = take(bytes, &mut self.out)?;
            self.rest.extend_from_slice(&bytes[used..]);
            self.flush()?;
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
}
