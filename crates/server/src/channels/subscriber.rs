//! One session in a channel: what it gets, and what it is spared.

use std::sync::Arc;

use protocol::centrifugo::{Disconnect, Unsubscribe, unsubscribed};

use crate::{Frame, Outbox, encode::Encoded, outbox::Pushed};

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

/// What is kept back for a subscriber.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) frames: Vec<(u64, Frame)>,
    pub(super) lost: bool,
}

impl Subscriber {
    /// Delivers what it was not given from the log.
    pub(super) fn take(&mut self, events: &Encoded) -> Pushed {
        if self.given == 0 {
            return self.outbox.push_all(&events.pushes);
        }
        let given = self.given;
        if events.last >= given {
            self.given = 0;
        }
        let frames = events.offsets.iter().zip(&events.pushes);
        let new = frames.filter(|(offset, _)| **offset == 0 || **offset > given);
        let new: Vec<_> = new.map(|(_, frame)| frame.clone()).collect();
        self.outbox.push_all(&new)
    }

    /// Its position is lost.
    pub(super) fn end(&self, channel: &str) {
        if self.server_side {
            self.outbox.kick(Disconnect::InsufficientState);
        } else {
            let text = unsubscribed(channel, Unsubscribe::InsufficientState);
            let _ = self.outbox.push(Frame::text(&text));
        }
    }
}
