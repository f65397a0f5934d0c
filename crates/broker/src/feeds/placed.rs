//! Feeds by the names that those who want them know, above feeds where they are: a topic of a queue that is split is in one
//! of its partitions, and may come to be in another.
//!
//! What is where its name says passes through. The listener hears of each feed under its own name, and that it is followed
//! once: where it goes on elsewhere, it goes on. That feeds are followed it first hears when all are that were wanted from
//! the beginning, since who is let in then must miss nothing.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use super::{Feeds, FollowState, Listener, Wanted, Wish, placer::Placer};
use crate::{Envelope, Feed, Position, Redis, partitions::Place};

/// Follows what is wanted until `stop`.
pub(super) async fn run(
    wanted: Arc<Wanted>,
    redis: Redis,
    listener: impl Listener,
    is_one: bool,
    stop: CancellationToken,
) {
    let feeds = Feeds::default();
    let names = Names(Arc::new(Mutex::new(All {
        listener,
        feeds: feeds.clone(),
        wanted: HashMap::new(),
        called: HashMap::new(),
        awaited: HashSet::new(),
        is_live: false,
        told: FollowState::Away,
    })));
    let mut placer = Placer::new(redis.clone(), names.clone());
    let first = wanted.take();
    let follows = first.iter().filter(|(_, wish)| **wish != Wish::Leave);
    names.lock().awaited = follows.map(|(feed, _)| feed.clone()).collect();
    // What is known to be where its name says is followed from the beginning.
    placer.take(first);
    let following = feeds.run_placed(redis, names, is_one, stop.clone());
    tokio::join!(following, placer.run(wanted, stop));
}

/// What is known of a feed that is wanted.
#[derive(Default)]
struct Known {
    /// Where it is followed; absent until it was found.
    place: Option<Place>,
    /// Whether the listener knows that it is followed.
    begun: bool,
    /// Whether it is being looked for.
    sought: bool,
}

/// The one listener, and what is where.
pub(super) struct All<L> {
    listener: L,
    feeds: Feeds,
    /// All that is wanted.
    wanted: HashMap<Feed, Known>,
    /// The own names of those that are elsewhere.
    called: HashMap<Feed, Feed>,
    /// What was wanted from the beginning and never was followed.
    awaited: HashSet<Feed>,
    is_live: bool,
    told: FollowState,
}

impl<L: Listener> All<L> {
    /// A feed is wanted. Says whether it has to be found.
    pub(super) fn enter(&mut self, feed: &Feed) -> bool {
        let known = self.wanted.entry(feed.clone()).or_default();
        known.begun = false;
        match &known.place {
            Some(place) => self.feeds.follow(&place.feed),
            None => return !known.sought,
        }
        false
    }

    /// A feed is not wanted any more.
    pub(super) fn leave(&mut self, feed: &Feed) {
        if let Some(place) = self.wanted.remove(feed).and_then(|known| known.place) {
            self.called.remove(&place.feed);
            self.feeds.leave(&place.feed);
        }
        self.awaited.remove(feed);
        self.tell_live();
    }

    /// A feed is looked for from here on. Says whether it was not yet, and is wanted.
    pub(super) fn seek(&mut self, feed: &Feed) -> bool {
        let known = self.wanted.get_mut(feed);
        known.is_some_and(|known| !std::mem::replace(&mut known.sought, true))
    }

    /// A feed can't be found now. Says whether it still matters.
    pub(super) fn lose(&mut self, feed: &Feed) -> bool {
        let known = self.wanted.get_mut(feed);
        known.is_some_and(|known| std::mem::take(&mut known.sought))
    }

    /// A feed was found.
    pub(super) fn settle(&mut self, feed: &Feed, place: &Place) {
        let Some(known) = self.wanted.get_mut(feed) else {
            return;
        };
        known.sought = false;
        let old = known.place.replace(place.clone());
        if old.as_ref().is_some_and(|old| old.feed == place.feed) {
            return;
        }
        if place.feed != *feed {
            self.called.insert(place.feed.clone(), feed.clone());
        }
        // Nothing comes where it was: its log there is over, if there ever was one. So all that there is here is new.
        let is_moved = known.begun && old.is_some();
        if let Some(old) = old {
            self.called.remove(&old.feed);
            self.feeds.leave(&old.feed);
        }
        let wish = if is_moved {
            Wish::FollowAll
        } else {
            Wish::Follow
        };
        self.feeds.want(&place.feed, wish);
    }

    /// Those that were found and may have to be looked for again.
    pub(super) fn doubtful(&self, is_doubtful: impl Fn(&Feed, &Place) -> bool) -> Vec<Feed> {
        let wanted = self.wanted.iter();
        let doubtful = wanted.filter(|(feed, known)| {
            let place = known.place.as_ref();
            !known.sought && place.is_some_and(|place| is_doubtful(feed, place))
        });
        doubtful.map(|(feed, _)| feed.clone()).collect()
    }

    fn tell_live(&mut self) {
        if self.is_live && self.awaited.is_empty() && self.told != FollowState::Live {
            self.told = FollowState::Live;
            self.listener.state(FollowState::Live);
        }
    }

    fn begins(&mut self, physical: &Feed, at: &Position) {
        let feed = self.called.get(physical).unwrap_or(physical);
        let Some(known) = self.wanted.get_mut(feed) else {
            return;
        };
        // It may have been found elsewhere meanwhile.
        let place = known.place.as_ref();
        if place.is_none_or(|place| place.feed != *physical) {
            return;
        }
        known.begun = true;
        self.listener.begins(feed, at);
        if self.awaited.remove(feed) {
            self.tell_live();
        }
    }

    fn state(&mut self, state: FollowState) {
        self.is_live = state == FollowState::Live;
        if self.is_live {
            return self.tell_live();
        }
        self.told = state;
        self.listener.state(state);
    }
}

/// What all of one run share.
pub(super) struct Names<L>(Arc<Mutex<All<L>>>);

impl<L> Clone for Names<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> Names<L> {
    /// All runs in one task, so that nobody waits here.
    pub(super) fn lock(&self) -> MutexGuard<'_, All<L>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Listener> Listener for Names<L> {
    fn begins(&mut self, feed: &Feed, at: &Position) {
        self.lock().begins(feed, at);
    }

    fn events(&mut self, feed: &Feed, events: &[Envelope<'_>]) {
        let all = &mut *self.lock();
        // Of most systems all is where its name says.
        let feed = if all.called.is_empty() {
            feed
        } else {
            all.called.get(feed).unwrap_or(feed)
        };
        all.listener.events(feed, events);
    }

    fn moved(&mut self, feed: &Feed, to: &Position, lost: bool) {
        let all = &mut *self.lock();
        let feed = all.called.get(feed).unwrap_or(feed);
        all.listener.moved(feed, to, lost);
    }

    fn state(&mut self, state: FollowState) {
        self.lock().state(state);
    }
}
