//! Frames on their way into a socket: as many as possible in one system call.
//!
//! The call is what a delivery costs, so everything that waits goes out together. Never waits for more frames.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use crate::Frame;

/// How many frames one system call takes.
const SLICES: usize = 64;

/// What a writer has taken from its outbox and not yet written.
#[derive(Debug, Default)]
pub struct Batch {
    frames: VecDeque<Bytes>,
    /// Whether the first frame is partly written, so that nothing else may come before its rest.
    begun: bool,
}

impl Batch {
    /// Adds a frame behind the others.
    pub fn push(&mut self, frame: Frame) {
        self.frames.push_back(frame.into_bytes());
    }

    /// How many frames are not completely written.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether everything is written.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Gives up what is not begun; the rest of a frame stays, since the peer could read nothing after half a one.
    pub fn cut(&mut self) {
        self.frames.truncate(usize::from(self.begun));
    }

    /// Writes everything. Dropping the future loses nothing: what is written is taken off as it goes.
    pub async fn write(&mut self, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        poll_fn(|cx| self.poll_write(cx, writer)).await
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        while !self.frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut used = 0;
            for (slice, frame) in slices.iter_mut().zip(&self.frames) {
                *slice = IoSlice::new(frame);
                used += 1;
            }
            let slices = &slices[..used];
            let written = ready!(Pin::new(&mut *writer).poll_write_vectored(cx, slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        // An idle connection holds no buffer.
        self.frames = VecDeque::new();
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(frame) = self.frames.front_mut() {
            if written < frame.len() {
                frame.advance(written);
                self.begun |= written > 0;
                return;
            }
            written -= frame.len();
            self.frames.pop_front();
            self.begun = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::Batch;
    use crate::Frame;

    #[tokio::test]
    async fn everything_arrives_in_order_through_a_narrow_pipe() {
        let (mut near, mut far) = tokio::io::duplex(7);
        let mut batch = Batch::default();
        let mut expected = Vec::new();
        for n in 0..200 {
            let frame = Frame::text(&"x".repeat(n));
            expected.extend_from_slice(&frame.clone().into_bytes());
            batch.push(frame);
        }
        let mut received = Vec::new();
        let (written, read) = tokio::join!(
            async {
                let written = batch.write(&mut near).await;
                drop(near);
                written
            },
            far.read_to_end(&mut received),
        );
        written.unwrap();
        read.unwrap();
        assert_eq!(received, expected);
    }

    #[tokio::test]
    async fn a_cut_keeps_only_the_rest_of_a_begun_frame() {
        let (mut near, _far) = tokio::io::duplex(7);
        let mut batch = Batch::default();
        batch.push(Frame::text("abc"));
        batch.push(Frame::text("def"));
        batch.push(Frame::text("ghi"));
        // Five bytes for the first, two of the second's.
        assert!(futures_util::FutureExt::now_or_never(batch.write(&mut near)).is_none());
        batch.cut();
        assert_eq!(batch.frames, [&b"def"[..]]);

        let mut fresh = Batch::default();
        fresh.push(Frame::text("abc"));
        fresh.cut();
        assert!(fresh.is_empty());
    }
}
