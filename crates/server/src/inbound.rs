//! The reading half of a WebSocket: bytes in, messages out.
//!
//! tungstenite does what the RFC asks of a reader: unmasking, fragments, UTF-8, limits. What it would write is
//! thrown away, because a connection's writer sends whole batches and must not be interleaved with anything.

use std::{
    future::poll_fn,
    io::{self, Read, Write},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{Role, WebSocket, WebSocketConfig},
};

/// How much is read at once, in bytes. Every connection holds a buffer of this size, and it is zeroed each time
/// the socket is looked at: large enough for a few chat messages, small enough for many connections.
const READ_BUFFER: usize = 1024;

/// Reads messages from one socket.
pub struct Inbound<R> {
    socket: WebSocket<Polled<R>>,
}

impl<R: AsyncRead + Unpin> Inbound<R> {
    /// Reads from `reader`, of which `part` was already read. Longer messages than `max_bytes` are an error.
    pub fn new(reader: R, part: Vec<u8>, max_bytes: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(max_bytes))
            .max_frame_size(Some(max_bytes));
        let polled = Polled {
            reader,
            waker: Waker::noop().clone(),
        };
        let socket = WebSocket::from_partially_read(polled, part, Role::Server, Some(config));
        Self { socket }
    }

    /// The next message. After an error there is none, but [`Self::discard`] still works.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Message, Error> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Error>> {
        let waker = &mut self.socket.get_mut().waker;
        if !waker.will_wake(cx.waker()) {
            waker.clone_from(cx.waker());
        }
        match self.socket.read() {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            other => Poll::Ready(other),
        }
    }

    /// Reads and forgets until the peer has closed its side.
    ///
    /// A socket that is closed with unread bytes is reset, and the reset would overtake a close frame.
    pub async fn discard(&mut self) {
        let mut buffer = vec![0; 4096];
        let reader = &mut self.socket.get_mut().reader;
        while reader.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
    }
}

/// An asynchronous reader in the shape that tungstenite wants.
struct Polled<R> {
    reader: R,
    waker: Waker,
}

impl<R: AsyncRead + Unpin> Read for Polled<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        let mut cx = Context::from_waker(&self.waker);
        match Pin::new(&mut self.reader).poll_read(&mut cx, &mut buffer) {
            Poll::Ready(result) => result.map(|()| buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<R> Write for Polled<R> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio_tungstenite::tungstenite::{
        Message,
        protocol::{Role, WebSocket},
    };

    use super::Inbound;
    use crate::Close;

    /// What a client's library writes for these messages, masked.
    fn wire(messages: &[Message]) -> Vec<u8> {
        let socket = std::io::Cursor::new(Vec::new());
        let mut client = WebSocket::from_raw_socket(socket, Role::Client, None);
        for message in messages {
            client.send(message.clone()).unwrap();
        }
        client.get_ref().get_ref().clone()
    }

    #[tokio::test]
    async fn what_was_read_with_the_request_is_not_lost() {
        let sent = [
            Message::text("one"),
            Message::Ping("x".into()),
            Message::text("zwölf"),
        ];
        let wire = wire(&sent);
        for split in 0..wire.len() {
            let (mut client, server) = tokio::io::duplex(1024);
            client.write_all(&wire[split..]).await.unwrap();
            let mut inbound = Inbound::new(server, wire[..split].to_vec(), 100);
            for message in &sent {
                assert_eq!(&inbound.next().await.unwrap(), message);
            }
        }
    }

    #[tokio::test]
    async fn errors_are_told_apart() {
        let long = wire(&[Message::text("x".repeat(101))]);
        let unmasked = [0x81, 1, b'x'];
        let reserved = [0xF1, 0x80, 0, 0, 0, 0];
        let not_text = [0x81, 0x82, 0, 0, 0, 0, 0xC3, 0x28];
        let cases: [(&[u8], Close); 5] = [
            (&long, Close::TooLarge),
            (&unmasked, Close::Protocol),
            (&reserved, Close::Protocol),
            (&not_text, Close::NotUtf8),
            (&[], Close::Gone),
        ];
        for (bytes, close) in cases {
            let mut inbound = Inbound::new(tokio::io::empty(), bytes.to_vec(), 100);
            assert_eq!(Close::of_error(&inbound.next().await.unwrap_err()), close);
        }
    }
}
