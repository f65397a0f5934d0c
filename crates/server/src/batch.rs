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

use tokio::{io::AsyncWrite, net::tcp::OwnedWriteHalf};

use crate::Frame;

/// How many frames one system call takes.
const SLICES: usize = 64;

/// What is taken from an outbox and not yet written.
#[derive(Debug, Default)]
pub struct Batch {
    frames: VecDeque<Frame>,
    /// How much of the first frame is written. If it is begun, nothing else may come before its rest.
    begun: usize,
    sent: Sent,
}

/// How much was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Whole frames.
    pub frames: usize,
    /// Their bytes.
    pub bytes: usize,
}

impl std::ops::AddAssign for Sent {
    fn add_assign(&mut self, more: Self) {
        self.frames += more.frames;
        self.bytes += more.bytes;
    }
}

impl Batch {
    /// Adds a frame behind the others.
    pub fn push(&mut self, frame: Frame) {
        self.frames.push_back(frame);
    }

    /// Adds frames behind the others, with their buffer if there is none yet.
    pub(crate) fn append(&mut self, frames: VecDeque<Frame>) {
        if self.frames.is_empty() {
            self.frames = frames;
        } else {
            self.frames.extend(frames);
        }
    }

    /// How many frames are not completely written.
    pub fn len(&self) -> usize {
        self.frames.iter().map(Frame::count).sum()
    }

    /// Whether everything is written.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// What was written since this was asked last.
    pub(crate) fn sent(&mut self) -> Sent {
        std::mem::take(&mut self.sent)
    }

    /// Gives up what is not begun; the rest of a frame stays, since the peer could read nothing after half a one.
    pub fn cut(&mut self) {
        self.frames.truncate(usize::from(self.begun > 0));
        if let Some(first) = self.frames.front_mut() {
            first.end_with(self.begun);
            if first.len() == self.begun {
                self.frames.clear();
                self.begun = 0;
            }
        }
    }

    /// Writes everything. Dropping the future loses nothing: what is written is taken off as it goes.
    pub async fn write(&mut self, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        poll_fn(|cx| self.poll_write(cx, writer)).await
    }

    /// The same for who is polled: the task is woken when the writer takes more.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        while !self.frames.is_empty() {
            let written = self.gathered(|slices| {
                let writer = Pin::new(&mut *writer);
                writer.poll_write_vectored(cx, slices)
            });
            let written = ready!(written)?;
            self.advance(written)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes everything, or as much as the socket takes at once, whoever's task this is. Wakes nobody.
    pub(crate) fn try_write(&mut self, socket: &OwnedWriteHalf) -> io::Result<()> {
        while let Some(first) = self.frames.front() {
            let written = if self.frames.len() == 1 {
                socket.try_write(&first.as_bytes()[self.begun..])?
            } else {
                self.gathered(|slices| socket.try_write_vectored(slices))?
            };
            self.advance(written)?;
        }
        Ok(())
    }

    fn gathered<T>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> T) -> T {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            let begun = if used == 0 { self.begun } else { 0 };
            *slice = IoSlice::new(&frame.as_bytes()[begun..]);
            used += 1;
        }
        write(&slices[..used])
    }

    fn advance(&mut self, written: usize) -> io::Result<()> {
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.begun += written;
        while let Some(frame) = self.frames.front() {
            let bytes = frame.len();
            if self.begun < bytes {
                return Ok(());
            }
            self.begun -= bytes;
            let frames = frame.count();
            self.sent += Sent { frames, bytes };
            self.frames.pop_front();
        }
        // An idle connection holds no buffer.
        self.frames = VecDeque::new();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::Batch;
    use crate::{Frame, run::Run};

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
        assert_eq!(batch.frames, [Frame::text("def")]);
        assert_eq!(batch.begun, 2);

        let mut fresh = Batch::default();
        fresh.push(Frame::text("abc"));
        fresh.cut();
        assert!(fresh.is_empty());
    }

    #[tokio::test]
    async fn a_cut_takes_the_frames_off_that_are_not_begun() {
        for (room, rest) in [(7, "def"), (10, "")] {
            let (mut near, _far) = tokio::io::duplex(room);
            let mut run = Run::default();
            for text in ["abc", "def", "ghi"] {
                run.text(text);
            }
            let mut batch = Batch::default();
            batch.push(run.finish().unwrap());
            assert!(futures_util::FutureExt::now_or_never(batch.write(&mut near)).is_none());
            batch.cut();
            assert_eq!(batch.len(), 2 * usize::from(!rest.is_empty()));
            if let Some(left) = batch.frames.front() {
                assert_eq!(left.len(), 10);
            }
        }
    }
}
