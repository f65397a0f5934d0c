//! Server-sent events out of the pieces of a stream.

use anyhow::{Context as _, ensure};

/// A longer event is none of a server of ours.
const MAX_EVENT: usize = 512 * 1024;

/// Reads events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    rest: Vec<u8>,
}

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// Where it is in its channel's log.
    pub(crate) id: &'a str,
    /// Of which type.
    pub(crate) name: &'a str,
    /// Its JSON.
    pub(crate) data: &'a str,
}

impl Events {
    /// Nothing has come yet.
    pub(crate) const fn new() -> Self {
        Self { rest: Vec::new() }
    }

    /// Takes a piece and hands on every event that is whole. Comments and pauses are none.
    pub(crate) fn take(
        &mut self,
        piece: &[u8],
        mut on_event: impl FnMut(&Event<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.rest.extend_from_slice(piece);
        let mut used = 0;
        while let Some(length) = self.rest[used..].windows(2).position(|end| end == b"\n\n") {
            let block = std::str::from_utf8(&self.rest[used..used + length])
                .context("an event that is no text")?;
            let event = read(block);
            if event != Event::default() {
                on_event(&event)?;
            }
            used += length + 2;
        }
        self.rest.drain(..used);
        ensure!(self.rest.len() < MAX_EVENT, "an event has no end");
        if self.rest.is_empty() {
            // A crowd that waits holds no buffers.
            self.rest = Vec::new();
        }
        Ok(())
    }
}

fn read(block: &str) -> Event<'_> {
    let mut event = Event::default();
    for line in block.split('\n') {
        match line.split_once(": ") {
            Some(("id", value)) => event.id = value,
            Some(("event", value)) => event.name = value,
            Some(("data", value)) => event.data = value,
            _ => {}
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::Events;

    #[test]
    fn events_are_read_in_any_pieces() {
        let stream = "retry: 2000\n\nid: a:1\nevent: queued\ndata: {\"b\": 1}\n\n: still here\n\nid: a:2\nevent: gap\ndata: {}\n\n";
        for size in 1..=stream.len() {
            let (mut events, mut read) = (Events::default(), Vec::new());
            for piece in stream.as_bytes().chunks(size) {
                let taken = events.take(piece, |event| {
                    read.push(format!("{} {} {}", event.id, event.name, event.data));
                    Ok(())
                });
                taken.unwrap();
            }
            assert_eq!(read, ["a:1 queued {\"b\": 1}", "a:2 gap {}"], "{size}");
        }
    }
}
