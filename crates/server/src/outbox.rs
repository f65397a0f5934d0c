//! What waits to be written to one connection, bounded in frames and in bytes.
//!
//! Whoever delivers never waits: an outbox that would overflow drops everything and asks its connection to close.
//! An empty outbox holds no buffer.
//!
//! It has the writing half of the socket, so that whoever delivers can write right away: a call costs less than having the
//! connection's task do it. The task is woken where the socket does not take everything at once, and keeps the time.

use std::{
    collections::{HashSet, VecDeque},
    future::poll_fn,
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker, ready},
};

use protocol::centrifugo::Disconnect;
use tokio::net::tcp::OwnedWriteHalf;

use crate::{Batch, Frame, Signal, batch::Sent};

/// How many bytes the writer takes at a time. Smaller than a bound, so that a slow client that still reads gets
/// a batch through within the write timeout.
const BATCH_BYTES: usize = 64 * 1024;
/// How many pings are answered at once; of more, only the latest are, as the RFC allows.
const PONGS: usize = 16;

/// The bounds of an outbox, the frames that are being written included.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most frames that may wait.
    pub frames: usize,
    /// The most bytes that may wait. A single longer frame is taken when nothing else waits.
    pub bytes: usize,
}

/// What became of delivered frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// They wait to be written.
    Queued,
    /// There was no room: the connection is asked to close, and this many frames are dropped.
    Overflowed(usize),
    /// The connection is closing already; they are dropped.
    Closed,
}

/// What waits to be written to one connection.
#[derive(Debug)]
pub struct Outbox {
    limits: Limits,
    signal: AtomicU8,
    /// Whether the session is to look what is asked of it.
    poked: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Frame>,
    /// How many these are, and their bytes.
    count: usize,
    bytes: usize,
    /// What is taken from these and not written yet. Nothing else may be written meanwhile.
    batch: Batch,
    /// How many frames and bytes that was: they count against the limits too.
    writing: (usize, usize),
    /// Absent before the connection begins and once it ends.
    socket: Option<OwnedWriteHalf>,
    ping: bool,
    /// Why the connection is to be closed.
    kick: Option<Disconnect>,
    /// Whether the connection's task waits for room.
    crowded: bool,
    /// Only the latest pings are answered, so that many take little room.
    pongs: VecDeque<Frame>,
    waker: Option<Waker>,
}

impl Outbox {
    /// An empty outbox.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            signal: AtomicU8::new(Signal::None as u8),
            poked: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Makes the calling task the one that is woken. All futures of this outbox must be polled by that task.
    pub async fn attach(&self) {
        poll_fn(|cx| {
            self.lock().waker = Some(cx.waker().clone());
            Poll::Ready(())
        })
        .await;
    }

    /// Delivers a frame.
    pub fn push(&self, frame: Frame) -> Pushed {
        self.push_all(&[frame])
    }

    /// Delivers frames, all or none.
    pub fn push_all(&self, frames: &[Frame]) -> Pushed {
        let (pushed, alone) = self.put(frames);
        if let Some(state) = alone {
            wake(state);
        }
        pushed
    }

    /// Puts frames in, all or none, to be written by [`Self::flush`]: whether that has to be called, it says too.
    #[must_use]
    pub(crate) fn put_all(&self, frames: &[Frame]) -> (Pushed, bool) {
        let (pushed, alone) = self.put(frames);
        (pushed, alone.is_some())
    }

    /// Puts frames in. If nothing waited there before, nobody knows of them yet.
    fn put(&self, frames: &[Frame]) -> (Pushed, Option<MutexGuard<'_, State>>) {
        let mut state = self.lock();
        if self.signal.load(Ordering::Acquire) >= Signal::Kick as u8 {
            return (Pushed::Closed, None);
        }
        let was_idle = state.frames.is_empty();
        let (count, bytes) = size(frames);
        if !state.has_room(self.limits, count, bytes) {
            state.conflate();
        }
        if !state.has_room(self.limits, count, bytes) {
            let dropped = state.count + count;
            state.frames = VecDeque::new();
            (state.count, state.bytes) = (0, 0);
            drop(state);
            self.ask(Signal::Slow);
            return (Pushed::Overflowed(dropped), None);
        }
        state.frames.extend(frames.iter().cloned());
        state.count += count;
        state.bytes += bytes;
        (Pushed::Queued, was_idle.then_some(state))
    }

    /// Writes what waits, as far as the socket takes it at once; the connection's task is woken for the rest.
    pub(crate) fn flush(&self) -> Sent {
        let mut sent = Sent::default();
        let mut state = self.lock();
        if !state.batch.is_empty() {
            // The task is at it, and will look what else there is.
            return sent;
        }
        while state.socket.is_some() && state.load() > 0 {
            let State { socket, batch, .. } = &mut *state;
            let written = socket.as_ref().map(|socket| batch.try_write(socket));
            sent += batch.sent();
            if !matches!(written, Some(Ok(()))) {
                // What failed fails again where the task does it.
                break;
            }
        }
        if state.crowded || !state.frames.is_empty() || !state.batch.is_empty() {
            wake(state);
        }
        sent
    }

    /// Has a ping sent before everything that waits.
    pub fn ping(&self) {
        let mut state = self.lock();
        state.ping = true;
        wake(state);
    }

    /// Has a ping answered, before everything that waits.
    pub fn pong(&self, payload: &[u8]) {
        let mut state = self.lock();
        if state.pongs.len() == PONGS {
            state.pongs.pop_front();
        }
        state.pongs.push_back(Frame::pong(payload));
        wake(state);
    }

    /// Asks the connection for something, unless more was asked before.
    pub fn ask(&self, signal: Signal) {
        let before = self.signal.fetch_max(signal as u8, Ordering::AcqRel);
        if before < signal as u8 {
            wake(self.lock());
        }
    }

    /// Asks the connection to close for this reason, unless it closes already.
    pub fn kick(&self, why: Disconnect) {
        let mut state = self.lock();
        if state.kick.is_none() {
            state.kick = Some(why);
        }
        drop(state);
        self.ask(Signal::Kick);
    }

    /// Why it is to be closed, if [`Self::kick`] said so.
    pub fn kicked(&self) -> Option<Disconnect> {
        self.lock().kick
    }

    /// Has the session look what is asked of it from outside.
    pub fn poke(&self) {
        self.poked.store(true, Ordering::Release);
        wake(self.lock());
    }

    /// Waits until it was poked since the last time.
    pub async fn poked(&self) {
        poll_fn(|_| {
            if self.poked.swap(false, Ordering::AcqRel) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Waits until no more than half of the outbox is used: for who has much to send and can wait.
    pub async fn room(&self) {
        poll_fn(|_| {
            let mut state = self.lock();
            let frames = state.count + state.writing.0;
            let bytes = state.bytes + state.writing.1;
            state.crowded = frames > self.limits.frames / 2 || bytes > self.limits.bytes / 2;
            if state.crowded {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    /// Waits until this signal, or one that takes precedence, was given.
    pub async fn asked(&self, signal: Signal) {
        poll_fn(|_| {
            if self.signal.load(Ordering::Acquire) >= signal as u8 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// How many frames and bytes wait or are being written.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let state = self.lock();
        let frames = state.count + state.writing.0;
        (frames, state.bytes + state.writing.1)
    }

    /// Gives the outbox the socket that it is for.
    pub fn open(&self, socket: OwnedWriteHalf) {
        self.lock().socket = Some(socket);
    }

    /// Takes the socket back, and what was not written yet of what was begun: from now on the outbox writes nothing.
    pub(crate) fn close(&self) -> (Option<OwnedWriteHalf>, Batch) {
        let mut state = self.lock();
        (state.socket.take(), std::mem::take(&mut state.batch))
    }

    /// Waits until there is something to write.
    pub(crate) async fn filled(&self) {
        poll_fn(|_| {
            let mut state = self.lock();
            let filled = !state.batch.is_empty() || state.load() > 0;
            if std::mem::take(&mut state.crowded) {
                // Who waits for room was looked at before this made some.
                wake(state);
            }
            if filled {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Writes what was begun, or waits until the socket takes more.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>) -> Poll<io::Result<Sent>> {
        let mut state = self.lock();
        let State { socket, batch, .. } = &mut *state;
        let socket = socket.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        ready!(batch.poll_write(cx, socket))?;
        Poll::Ready(Ok(batch.sent()))
    }

    /// Moves everything that waits into the batch.
    pub(crate) fn take_rest(&self, batch: &mut Batch) {
        self.lock().take(batch, usize::MAX);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self, limits: Limits, frames: usize, bytes: usize) -> bool {
        let frames = self.count + self.writing.0 + frames;
        let alone = frames == 1;
        frames <= limits.frames && (self.bytes + self.writing.1 + bytes <= limits.bytes || alone)
    }

    /// Drops what later frames make superfluous. Only where there is no room: it goes through all that waits.
    fn conflate(&mut self) {
        let mut told = HashSet::new();
        let frames = std::mem::take(&mut self.frames);
        let mut kept: VecDeque<_> = frames
            .into_iter()
            .rev()
            .filter(|frame| frame.topic().is_none_or(|topic| told.insert(topic)))
            .collect();
        kept.make_contiguous().reverse();
        (self.count, self.bytes) = size(&kept);
        self.frames = kept;
    }

    /// Takes the next batch, once the one before is written; returns how many bytes it has.
    fn load(&mut self) -> usize {
        let mut batch = std::mem::take(&mut self.batch);
        let bytes = self.take(&mut batch, BATCH_BYTES);
        self.batch = batch;
        bytes
    }

    fn take(&mut self, batch: &mut Batch, most: usize) -> usize {
        let mut control = 0;
        let ping = std::mem::take(&mut self.ping).then(Frame::ping);
        for frame in std::mem::take(&mut self.pongs).into_iter().chain(ping) {
            control += frame.len();
            batch.push(frame);
        }
        // Idle connections are many; a buffer each would be most of their memory. So it goes with what is in it.
        let all = std::mem::take(&mut self.frames);
        let (mut count, mut bytes) = (self.count, self.bytes);
        if bytes <= most {
            batch.append(all);
        } else {
            self.frames = all;
            (count, bytes) = (0, 0);
            while let Some(frame) = self.frames.front()
                && (count == 0 || bytes + frame.len() <= most)
            {
                bytes += frame.len();
                count += frame.count();
                self.frames
                    .pop_front()
                    .into_iter()
                    .for_each(|frame| batch.push(frame));
            }
            if self.frames.is_empty() {
                self.frames = VecDeque::new();
            }
        }
        self.count -= count;
        self.bytes -= bytes;
        self.writing = (count, bytes);
        control + bytes
    }
}

/// How many frames these are, and their bytes.
fn size<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> (usize, usize) {
    let frames = frames.into_iter();
    frames.fold((0, 0), |(count, bytes), frame| {
        (count + frame.count(), bytes + frame.len())
    })
}

/// Wakes the connection's task after the lock is released, so that it does not run into it.
fn wake(state: MutexGuard<'_, State>) {
    let waker = state.waker.clone();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
