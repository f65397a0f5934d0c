//! Who publishes what a crowd gets.

use std::io::{ErrorKind, Read as _, Write as _};

use anyhow::{Context as _, bail, ensure};

use super::crowd::Crowd;
use crate::bench::peers::{Publication, Relay};

/// Takes a text that is to be published.
pub type Publish = Box<dyn FnMut(&str) -> anyhow::Result<()>>;

/// How a text gets to the gateway.
pub enum Publisher {
    /// The first of the crowd says it.
    Member,
    /// It is published on Redis as another process of the gateway's kind would do it.
    Redis(Redis),
    /// It is handed to somebody who publishes it, in order.
    Hand(Publish),
}

impl Publisher {
    /// Publishes on the Redis at a URL for a gateway.
    pub fn redis(url: &str, relay: Relay) -> anyhow::Result<Self> {
        Ok(Self::Redis(Redis::connect(url, relay)?))
    }

    /// Puts a text where it goes out with the next flush.
    pub(crate) fn publish(&mut self, crowd: &mut Crowd<'_>, text: &str) -> anyhow::Result<()> {
        match self {
            Self::Member => crowd.say(0, text),
            Self::Redis(redis) => redis.publish(text),
            Self::Hand(publish) => publish(text)?,
        }
        Ok(())
    }

    /// Sends what was published.
    pub(crate) fn flush(&mut self, crowd: &mut Crowd<'_>) -> anyhow::Result<()> {
        match self {
            Self::Member => crowd.flush(0),
            Self::Redis(redis) => redis.flush(),
            Self::Hand(_) => Ok(()),
        }
    }
}

/// A connection to Redis that only publishes.
pub struct Redis {
    stream: std::net::TcpStream,
    relay: Relay,
    out: Vec<u8>,
}

impl Redis {
    fn connect(url: &str, relay: Relay) -> anyhow::Result<Self> {
        let address = url.trim_start_matches("redis://").trim_end_matches('/');
        let stream = std::net::TcpStream::connect(address)
            .with_context(|| format!("can't connect to Redis at {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            relay,
            out: Vec::new(),
        })
    }

    fn publish(&mut self, text: &str) {
        let Publication { channel, payload } = self.relay.publication(text);
        let head = format!(
            "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n${}\r\n",
            channel.len(),
            payload.len()
        );
        self.out.extend(head.into_bytes());
        self.out.extend(payload);
        self.out.extend(b"\r\n");
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        // A few kilobytes at most: they fit into the socket.
        self.stream.write_all(&self.out)?;
        self.out.clear();
        self.stream.set_nonblocking(true)?;
        let answers = self.read_answers();
        self.stream.set_nonblocking(false)?;
        answers
    }

    /// Reads what Redis has answered so far, so that it never waits for this.
    fn read_answers(&mut self) -> anyhow::Result<()> {
        let mut answers = [0; 4096];
        loop {
            match self.stream.read(&mut answers) {
                Ok(0) => bail!("Redis ended the connection"),
                Ok(count) => {
                    let refused = answers[..count].contains(&b'-');
                    ensure!(
                        !refused,
                        "Redis refuses: {}",
                        String::from_utf8_lossy(&answers[..count])
                    );
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("can't read from Redis"),
            }
        }
    }
}
