//! What is to be followed: written by those who want it, read by who follows it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::Feed;

#[derive(Default)]
pub(super) struct Wanted {
    /// What changed and was not dealt with: at most one entry a feed.
    changes: Mutex<HashMap<Feed, Want>>,
    /// Told of each change.
    pub(super) changed: Notify,
}

/// What is wanted of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Follow,
    /// All that is in its log.
    FollowFromStart,
    Leave,
}

impl Wanted {
    /// What changed since this was asked last.
    pub(super) fn take(&self) -> HashMap<Feed, Want> {
        // Taken in one statement: the listener has locks of its own, under which others want something of this one.
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A feed is wanted otherwise.
    pub(super) fn put(&self, feed: &Feed, want: Want) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.insert(feed.clone(), want);
        drop(changes);
        self.changed.notify_one();
    }
}
