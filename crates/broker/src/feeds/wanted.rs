//! What is to be followed, as far as whoever follows it has not dealt with that.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::Feed;

/// What is to be followed. Clones share it.
#[derive(Clone, Default)]
pub struct Feeds(pub(super) Arc<Wanted>);

#[derive(Default)]
pub(super) struct Wanted {
    /// What changed and was not dealt with: at most one entry a feed.
    changes: Mutex<HashMap<Feed, Wish>>,
    pub(super) changed: Notify,
}

/// What is to become of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To be followed from where it is.
    Follow,
    /// To be followed with all that its log has.
    FollowAll,
    Leave,
}

impl Feeds {
    /// Begins to follow a feed. One that is followed already is told to begin once more.
    pub fn follow(&self, feed: &Feed) {
        self.want(feed, Wish::Follow);
    }

    /// Follows a feed no more.
    pub fn leave(&self, feed: &Feed) {
        self.want(feed, Wish::Leave);
    }

    pub(super) fn want(&self, feed: &Feed, wish: Wish) {
        let mut changes = self
            .0
            .changes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        changes.insert(feed.clone(), wish);
        drop(changes);
        self.0.changed.notify_one();
    }
}

impl Wanted {
    /// What changed since this was asked last.
    pub(super) fn take(&self) -> HashMap<Feed, Wish> {
        // Taken in one statement: the listener has locks of its own, under which others want something of this one.
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
