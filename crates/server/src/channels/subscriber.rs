//! One session in a channel: what it gets, and what it is spared.

use std::{borrow::Cow, collections::VecDeque, sync::Arc};

use protocol::centrifugo::{Disconnect, Unsubscribe, unsubscribed};

use crate::{Frame, Outbox, encode::Encoded};

/// How many frames, and about how many bytes, are given at once of what was kept back.
const PART: usize = 64;
const PART_BYTES: usize = 32 * 1024;

/// One session in a channel.
pub(super) struct Subscriber {
    pub(super) outbox: Arc<Outbox>,
    pub(super) positioned: bool,
    pub(super) join_leave: bool,
    /// A lost position ends the whole session, since its client can't subscribe again by itself.
    pub(super) server_side: bool,
    /// What came while what was missed is read; absent once it is over.
    pub(super) pending: Option<Pending>,
    /// Up to where it was given the log, which may be ahead of what comes live; 0 once that is no more.
    pub(super) given: u64,
}

/// How many events may be kept back for a subscriber, and how many bytes.
const PENDING: usize = 1024;
const PENDING_BYTES: usize = 256 * 1024;

/// What is kept back for a subscriber.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) frames: VecDeque<(u64, Frame)>,
    bytes: usize,
    pub(super) lost: bool,
    /// Whether the last of it ends the job whose channel this is.
    pub(super) over: bool,
}

impl Pending {
    /// Keeps events back; too many are lost, and the client will subscribe again.
    pub(super) fn keep(&mut self, events: &Encoded) {
        if self.lost {
            return;
        }
        self.bytes += events.pushes.iter().map(Frame::len).sum::<usize>();
        if self.frames.len() + events.pushes.len() > PENDING || self.bytes > PENDING_BYTES {
            self.lost = true;
            self.frames = VecDeque::new();
            return;
        }
        let offsets = events.offsets.iter().copied();
        self.frames
            .extend(offsets.zip(events.pushes.iter().cloned()));
        self.over = events.over;
    }

    /// The first of what came after an offset: few enough for an outbox that has room. None if that is all.
    pub(super) fn part(&mut self, after: u64) -> Option<Vec<Frame>> {
        let mut part = Vec::new();
        let mut bytes = 0;
        while part.len() < PART
            && bytes < PART_BYTES
            && let Some((offset, frame)) = self.frames.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(frame.len());
            if offset == 0 || offset > after {
                bytes += frame.len();
                part.push(frame);
            }
        }
        (!part.is_empty()).then_some(part)
    }
}

impl Subscriber {
    /// What it was not given from the log.
    pub(super) fn fresh<'a>(&mut self, events: &'a Encoded) -> Cow<'a, [Frame]> {
        if self.given == 0 {
            return Cow::Borrowed(&events.pushes);
        }
        let given = self.given;
        if events.last >= given {
            self.given = 0;
        }
        let frames = events.offsets.iter().zip(&events.pushes);
        let new = frames.filter(|(offset, _)| **offset == 0 || **offset > given);
        new.map(|(_, frame)| frame.clone()).collect()
    }

    /// Its position is lost.
    pub(super) fn end(&self, channel: &str) {
        if self.server_side {
            self.outbox.kick(Disconnect::InsufficientState);
        } else {
            self.tell_end(channel, Unsubscribe::InsufficientState);
        }
    }

    /// It ends, for this reason.
    pub(super) fn tell_end(&self, channel: &str, why: Unsubscribe) {
        let _ = self.outbox.push(Frame::text(&unsubscribed(channel, why)));
    }
}
