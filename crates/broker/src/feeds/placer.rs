//! Feeds of queues that are split are followed in the partitions where they are; whoever wants them, and is told of them,
//! knows nothing of it.
//!
//! Most feeds are in the only place that there is, and pass through. The others are looked for when they are wanted, again when
//! their queue is split otherwise, and now and then as long as they may still turn up elsewhere. In a new place a feed is
//! read from its beginning: it began there after it was last seen.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::{sync::watch, time::Interval};
use tracing::{debug, warn};

use super::{CHECK, Feeds, FollowState, Listener, Want, Wanted};
use crate::{Backoff, Envelope, Feed, Position, Redis, partitions::Place};

/// How many feeds are looked for at a time.
const AT_ONCE: usize = 64;

/// Passes on what is wanted to those who follow it in its place.
pub(super) struct Placer {
    wanted: Arc<Wanted>,
    redis: Redis,
    inner: Feeds,
    names: Names,
    /// What is wanted, and where it is; none while that is not known.
    places: HashMap<Feed, Option<Place>>,
    /// What is to be looked for, each once.
    sought: VecDeque<Feed>,
    waiting: HashSet<Feed>,
    looks: FuturesUnordered<BoxFuture<'static, (Feed, Place)>>,
    changes: watch::Receiver<u64>,
    /// Which placements are being read anew.
    readings: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl Placer {
    /// What follows is wanted of `inner`, whose listener is to be [`Named`] with these names.
    pub(super) fn new(wanted: Arc<Wanted>, redis: Redis, inner: Feeds) -> (Self, Names) {
        let names = Names::default();
        let placer = Self {
            wanted,
            changes: redis.partitions().changes(),
            redis,
            inner,
            names: names.clone(),
            places: HashMap::new(),
            sought: VecDeque::new(),
            waiting: HashSet::new(),
            looks: FuturesUnordered::new(),
            readings: FuturesUnordered::new(),
        };
        (placer, names)
    }

    /// Until all that was wanted from the beginning has been passed on.
    pub(super) async fn begin(&mut self) {
        self.take();
        while self.places.values().any(Option::is_none) {
            self.look();
            if let Some((feed, place)) = self.looks.next().await {
                self.found(&feed, &place);
            }
        }
    }

    /// For ever.
    pub(super) async fn run(mut self) {
        let wanted = Arc::clone(&self.wanted);
        let mut check: Interval = tokio::time::interval(CHECK);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.look();
            tokio::select! {
                () = wanted.changed.notified() => self.take(),
                Some((feed, place)) = self.looks.next() => self.found(&feed, &place),
                // It ends with the connection to Redis, which this has.
                Ok(()) = self.changes.changed() => self.seek_all(|_| true),
                Some(()) = self.readings.next() => {}
                _ = check.tick() => {
                    self.seek_all(|place| !place.is_settled);
                    self.read_anew();
                }
            }
        }
    }

    /// Takes over what is wanted by now.
    fn take(&mut self) {
        for (feed, want) in self.wanted.take() {
            if want == Want::Leave {
                if let Some(Some(place)) = self.places.remove(&feed) {
                    self.names.remove(&place.feed);
                    self.inner.leave(&place.feed);
                }
                continue;
            }
            match self.places.get(&feed) {
                Some(Some(place)) => self.inner.follow(&place.feed),
                Some(None) => {}
                None if self.is_whole(&feed) => {
                    self.inner.follow(&feed);
                    let place = Place {
                        feed: feed.clone(),
                        is_settled: true,
                    };
                    self.places.insert(feed, Some(place));
                }
                None => {
                    self.places.insert(feed.clone(), None);
                    self.seek(feed);
                }
            }
        }
    }

    /// Whether it is known that there is but one place for it.
    fn is_whole(&self, feed: &Feed) -> bool {
        feed.queue().is_none_or(|queue| {
            let known = self.redis.partitions().known(&queue);
            known.is_some_and(|placement| placement.held() == 1)
        })
    }

    fn seek(&mut self, feed: Feed) {
        if self.waiting.insert(feed.clone()) {
            self.sought.push_back(feed);
        }
    }

    /// Looks again for those whose places say so, and may be elsewhere.
    fn seek_all(&mut self, which: impl Fn(&Place) -> bool) {
        let may_have_moved = |(feed, place): (&Feed, &Option<Place>)| {
            let place = place.as_ref()?;
            (which(place) && !self.is_whole(feed)).then(|| feed.clone())
        };
        let all: Vec<_> = self.places.iter().filter_map(may_have_moved).collect();
        for feed in all {
            self.seek(feed);
        }
    }

    /// Reads where the topics of all queues are that are followed; what is new is told as a change.
    fn read_anew(&mut self) {
        if self.readings.is_empty() {
            let queues: HashSet<_> = self.places.keys().filter_map(Feed::queue).collect();
            for queue in queues {
                let redis = self.redis.clone();
                self.readings.push(Box::pin(async move {
                    if let Err(error) = redis.newest_placement(&queue).await {
                        debug!(%queue, %error, "whether the queue is split can't be read");
                    }
                }));
            }
        }
    }

    fn look(&mut self) {
        while self.looks.len() < AT_ONCE
            && let Some(feed) = self.sought.pop_front()
        {
            self.waiting.remove(&feed);
            self.looks.push(Box::pin(look(self.redis.clone(), feed)));
        }
    }

    fn found(&mut self, feed: &Feed, place: &Place) {
        let Some(known) = self.places.get_mut(feed) else {
            // It was left meanwhile.
            return;
        };
        let before = known.replace(place.clone());
        match before {
            None => {
                self.names.insert(&place.feed, feed);
                self.inner.follow(&place.feed);
            }
            Some(before) if before.feed != place.feed => {
                debug!(
                    from = before.feed.base(),
                    to = place.feed.base(),
                    topic = feed.name(),
                    "a topic is elsewhere"
                );
                self.names.remove(&before.feed);
                self.inner.leave(&before.feed);
                self.names.insert(&place.feed, feed);
                self.inner.follow_from_start(&place.feed);
            }
            Some(_) => {}
        }
    }
}

/// Looks for a feed until Redis answers.
async fn look(redis: Redis, feed: Feed) -> (Feed, Place) {
    let mut backoff = Backoff::default();
    loop {
        match redis.place(&feed).await {
            Ok(place) => return (feed, place),
            Err(error) if backoff.tries() == 0 => {
                warn!(topic = feed.name(), %error, "can't look where a topic is, trying again");
            }
            Err(error) => debug!(topic = feed.name(), %error, "can't look where a topic is"),
        }
        tokio::time::sleep(backoff.pause()).await;
    }
}

/// The names by which feeds are wanted that are called otherwise where they are.
#[derive(Clone, Default)]
pub(super) struct Names(Arc<Others>);

#[derive(Default)]
struct Others {
    /// Spares those who have none the lock.
    any: AtomicBool,
    names: Mutex<HashMap<Feed, Feed>>,
}

impl Names {
    fn lock(&self) -> MutexGuard<'_, HashMap<Feed, Feed>> {
        self.0.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, there: &Feed, name: &Feed) {
        if there != name {
            self.0.any.store(true, Ordering::Release);
            self.lock().insert(there.clone(), name.clone());
        }
    }

    fn remove(&self, there: &Feed) {
        if self.0.any.load(Ordering::Acquire) {
            self.lock().remove(there);
        }
    }

    fn of(&self, there: &Feed) -> Option<Feed> {
        if self.0.any.load(Ordering::Acquire) {
            self.lock().get(there).cloned()
        } else {
            None
        }
    }
}

/// Tells of feeds by the names by which they are wanted.
pub(super) struct Named<L> {
    pub(super) listener: L,
    pub(super) names: Names,
}

impl<L: Listener> Listener for Named<L> {
    fn begins(&mut self, feed: &Feed, at: &Position) {
        let name = self.names.of(feed);
        self.listener.begins(name.as_ref().unwrap_or(feed), at);
    }

    fn events(&mut self, feed: &Feed, events: &[Envelope<'_>]) {
        let name = self.names.of(feed);
        self.listener.events(name.as_ref().unwrap_or(feed), events);
    }

    fn moved(&mut self, feed: &Feed, to: &Position, lost: bool) {
        let name = self.names.of(feed);
        self.listener.moved(name.as_ref().unwrap_or(feed), to, lost);
    }

    fn state(&mut self, state: FollowState) {
        self.listener.state(state);
    }
}
