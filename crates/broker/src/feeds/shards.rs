//! Feeds of a Cluster: those of a queue, or of a namespace of rooms, lie in one slot and are followed together over a
//! connection of their own, so that a node that is lost is no concern of others.
//!
//! Says that feeds are followed as long as any are: one lost node is no reason to send clients away. `placed.rs` waits for
//! all that were wanted from the beginning.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio_util::sync::CancellationToken;

use super::{Feeds, FollowState, Listener, Wanted, Wish};
use crate::{Envelope, Feed, Position, Redis};

/// Feeds whose keys begin alike.
struct Part {
    feeds: Feeds,
    followed: HashSet<Feed>,
    stop: CancellationToken,
}

/// Follows what is wanted until `stop`.
pub(super) async fn run(
    wanted: Arc<Wanted>,
    redis: Redis,
    listener: impl Listener,
    is_one: bool,
    stop: CancellationToken,
) {
    let shared = Shared(Arc::new(Mutex::new(All {
        listener,
        live: HashSet::new(),
        told: FollowState::Away,
    })));
    let mut parts = HashMap::<Arc<str>, Part>::new();
    let mut running = FuturesUnordered::new();
    let begin = |base: &Arc<str>, running: &mut FuturesUnordered<_>| {
        let part = Part {
            feeds: Feeds::default(),
            followed: HashSet::new(),
            stop: stop.child_token(),
        };
        let listener = PartListener {
            base: Arc::clone(base),
            shared: shared.clone(),
        };
        running.push(part.feeds.clone().run_at(
            redis.clone(),
            base.to_string(),
            listener,
            part.stop.clone(),
        ));
        part
    };
    let home: Arc<str> = "".into();
    // One that follows nothing, which tells whether the Cluster is there at all.
    let _home = (!is_one).then(|| begin(&home, &mut running));
    let mut changes = wanted.take();
    loop {
        for (feed, wish) in changes.drain() {
            let base = feed.shared_base();
            if wish != Wish::Leave {
                let part = parts
                    .entry(Arc::clone(base))
                    .or_insert_with(|| begin(base, &mut running));
                part.feeds.want(&feed, wish);
                part.followed.insert(feed);
                continue;
            }
            let Some(part) = parts.get_mut(base) else {
                continue;
            };
            part.feeds.leave(&feed);
            part.followed.remove(&feed);
            if part.followed.is_empty() {
                part.stop.cancel();
                parts.remove(base);
                shared.lock().state(base, FollowState::Away);
            }
        }
        tokio::select! {
            () = wanted.changed.notified() => changes = wanted.take(),
            Some(()) = running.next(), if !running.is_empty() => {}
            () = stop.cancelled() => return,
        }
    }
}

/// The one listener, and which parts are followed.
struct All<L> {
    listener: L,
    live: HashSet<Arc<str>>,
    told: FollowState,
}

impl<L: Listener> All<L> {
    fn state(&mut self, base: &Arc<str>, state: FollowState) {
        match state {
            FollowState::Live => {
                self.live.insert(Arc::clone(base));
            }
            FollowState::Away => {
                self.live.remove(base);
            }
        }
        self.tell();
    }

    fn tell(&mut self) {
        let all = if self.live.is_empty() {
            FollowState::Away
        } else {
            FollowState::Live
        };
        if all != self.told {
            self.told = all;
            self.listener.state(all);
        }
    }
}

struct Shared<L>(Arc<Mutex<All<L>>>);

impl<L> Clone for Shared<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> Shared<L> {
    /// All parts run in one task, so that nobody waits here.
    fn lock(&self) -> MutexGuard<'_, All<L>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one part tells.
struct PartListener<L> {
    base: Arc<str>,
    shared: Shared<L>,
}

impl<L: Listener> Listener for PartListener<L> {
    fn begins(&mut self, feed: &Feed, at: &Position) {
        self.shared.lock().listener.begins(feed, at);
    }

    fn events(&mut self, feed: &Feed, events: &[Envelope<'_>]) {
        self.shared.lock().listener.events(feed, events);
    }

    fn moved(&mut self, feed: &Feed, to: &Position, lost: bool) {
        self.shared.lock().listener.moved(feed, to, lost);
    }

    fn state(&mut self, state: FollowState) {
        self.shared.lock().state(&self.base, state);
    }
}
