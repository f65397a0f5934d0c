//! One feed that is followed, and what a live event means to it.

use crate::{Envelope, Feed, Position};

/// One feed, and how far it is.
pub(super) struct Followed {
    pub(super) feed: Feed,
    /// Up to where everything was delivered; absent until the log was read.
    pub(super) position: Option<Position>,
}

/// What a live event means to who stands at a position.
#[derive(PartialEq, Eq)]
pub(super) enum Verdict {
    Next,
    Seen,
    Gap,
}

impl Followed {
    /// What to do with a live event.
    pub(super) fn judge(&self, event: &Envelope<'_>) -> Verdict {
        if event.offset == 0 {
            return Verdict::Next;
        }
        match &self.position {
            // The log is read after this.
            None => Verdict::Seen,
            Some(at) if at.epoch != event.epoch => Verdict::Gap,
            Some(at) if event.offset <= at.offset => Verdict::Seen,
            Some(at) if event.offset == at.offset + 1 => Verdict::Next,
            Some(_) => Verdict::Gap,
        }
    }
}
