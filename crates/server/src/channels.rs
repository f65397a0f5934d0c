//! Who is subscribed to what on this server, and how events reach them.
//!
//! Every server follows the feeds that its own clients want, and no others. Delivering never waits for anybody: see
//! [`crate::outbox`]. An event is encoded once for all clients of a protocol.

mod subscriber;
mod subscription;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use broker::{Envelope, Feed, Feeds, Position};
use protocol::centrifugo::Unsubscribe;
use tokio::sync::Notify;

use self::subscriber::{Pending, Subscriber};
pub(crate) use self::subscription::Subscription;
use crate::{
    Frame, Metrics, Outbox,
    encode::{Encoded, Encoding},
    outbox::Pushed,
    tail::Tail,
};

/// All channels that somebody on this server is subscribed to.
pub(crate) struct Channels {
    feeds: Feeds,
    metrics: Arc<Metrics>,
    open: Mutex<HashMap<Feed, Arc<Channel>>>,
}

/// One channel, while somebody is subscribed to it.
pub(crate) struct Channel {
    feed: Feed,
    /// What clients call it.
    pub(crate) name: String,
    /// What its events are to clients.
    pub(crate) encoding: Encoding,
    state: Mutex<State>,
    began: Notify,
}

#[derive(Default)]
struct State {
    /// Up to where it was delivered; absent until it is followed.
    position: Option<Position>,
    /// Clients of the plain protocol.
    plain: HashMap<u64, Arc<Outbox>>,
    /// Subscriptions of Centrifugo sessions.
    subscribers: HashMap<u64, Subscriber>,
    /// Requests that wait for events.
    tails: HashMap<u64, Arc<Tail>>,
    /// Whether it is followed although nobody is here.
    kept: bool,
}

impl State {
    fn is_needed(&self) -> bool {
        self.kept
            || !self.plain.is_empty()
            || !self.subscribers.is_empty()
            || !self.tails.is_empty()
    }
}

/// What a subscription wants.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent wishes")]
pub(crate) struct Wish {
    /// To be told when it missed something.
    pub(crate) positioned: bool,
    /// To be told who comes and goes.
    pub(crate) join_leave: bool,
    /// The client did not ask for it.
    pub(crate) server_side: bool,
}

impl Channels {
    pub(crate) fn new(feeds: Feeds, metrics: Arc<Metrics>) -> Self {
        Self {
            feeds,
            metrics,
            open: Mutex::default(),
        }
    }

    /// Adds a client of the plain protocol, which gets what comes from here on.
    pub(crate) fn join(
        self: &Arc<Self>,
        feed: &Feed,
        name: &str,
        id: u64,
        outbox: &Arc<Outbox>,
    ) -> Subscription {
        self.enter(feed, name, Encoding::Events, id, |state| {
            state.plain.insert(id, Arc::clone(outbox));
        })
    }

    /// Follows a feed for good, so that the first who comes need not wait for it.
    pub(crate) fn keep(self: &Arc<Self>, feed: &Feed, name: &str) {
        drop(self.enter(feed, name, Encoding::Events, u64::MAX, |state| {
            state.kept = true;
        }));
    }

    /// Adds a session. What comes is kept back until [`Subscription::go_live`].
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        feed: &Feed,
        name: &str,
        encoding: Encoding,
        id: u64,
        outbox: &Arc<Outbox>,
        wish: Wish,
    ) -> Subscription {
        self.enter(feed, name, encoding, id, |state| {
            let subscriber = Subscriber {
                outbox: Arc::clone(outbox),
                positioned: wish.positioned,
                join_leave: wish.join_leave,
                server_side: wish.server_side,
                pending: Some(Pending::default()),
                given: 0,
            };
            state.subscribers.insert(id, subscriber);
        })
    }

    /// Adds a request that wants the events themselves, as they come.
    pub(crate) fn watch(
        self: &Arc<Self>,
        feed: &Feed,
        name: &str,
        id: u64,
        tail: &Arc<Tail>,
    ) -> Subscription {
        self.enter(feed, name, Encoding::Events, id, |state| {
            state.tails.insert(id, Arc::clone(tail));
        })
    }

    fn enter(
        self: &Arc<Self>,
        feed: &Feed,
        name: &str,
        encoding: Encoding,
        id: u64,
        add: impl FnOnce(&mut State),
    ) -> Subscription {
        let mut channels = self.lock();
        let channel = channels.entry(feed.clone()).or_insert_with(|| {
            self.metrics.channels.inc();
            self.feeds.follow(feed);
            Arc::new(Channel {
                feed: feed.clone(),
                name: name.to_owned(),
                encoding,
                state: Mutex::default(),
                began: Notify::new(),
            })
        });
        add(&mut channel.lock());
        self.metrics.subscriptions.inc();
        Subscription {
            channels: Arc::clone(self),
            channel: Arc::clone(channel),
            id,
        }
    }

    /// How many channels somebody is subscribed to.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// The channel of a feed, if anybody is subscribed to it.
    pub(crate) fn get(&self, feed: &Feed) -> Option<Arc<Channel>> {
        self.lock().get(feed).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Feed, Arc<Channel>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel {
    /// What is followed.
    pub(crate) const fn feed(&self) -> &Feed {
        &self.feed
    }

    /// It is followed from here.
    pub(crate) fn begins(&self, at: &Position) {
        let mut state = self.lock();
        // One that began already is told again when somebody left and another came.
        state.position.get_or_insert_with(|| at.clone());
        drop(state);
        self.began.notify_waiters();
    }

    /// The log goes on from elsewhere, or under another name. Who relies on positions must subscribe again, from where it
    /// is: if nothing is lost, nothing will be missing.
    pub(crate) fn moved(&self, to: &Position, lost: bool, metrics: &Metrics) {
        let mut state = self.lock();
        let from = state.position.replace(to.clone()).unwrap_or_default();
        // Where no log was, it only began; and who began it knows its epoch already.
        if !lost && (from.epoch.is_empty() || from.epoch == to.epoch) {
            return;
        }
        for tail in state.tails.values() {
            tail.lose();
        }
        let mut gone = Vec::new();
        for (id, subscriber) in &mut state.subscribers {
            match &mut subscriber.pending {
                Some(pending) => pending.lost = true,
                None if subscriber.positioned => gone.push(*id),
                None => {}
            }
        }
        for id in gone {
            if let Some(subscriber) = state.subscribers.remove(&id) {
                metrics.insufficient_state.inc();
                subscriber.end(&self.name);
            }
        }
    }

    /// A log that was not there was begun for a subscriber, who was told of its epoch.
    pub(crate) fn opened(&self, at: &Position) {
        let mut state = self.lock();
        if let Some(position) = &mut state.position
            && position.epoch.is_empty()
        {
            *position = at.clone();
        }
    }

    /// Delivers frames that belong together: for each its offset, the push for sessions and the text for plain clients.
    /// Does nothing, and says so, if clients are there for whom they are not encoded. Whose outboxes are to be flushed is
    /// added to `due`: that is done without the channel's lock.
    pub(crate) fn deliver(
        &self,
        events: &Encoded,
        metrics: &Metrics,
        due: &mut Vec<Arc<Outbox>>,
    ) -> bool {
        let mut state = self.lock();
        let (plain, sessions) = events.audience;
        if (!plain && !state.plain.is_empty()) || (!sessions && !state.subscribers.is_empty()) {
            return false;
        }
        if let Some(position) = &mut state.position
            && events.last > 0
        {
            position.offset = events.last;
        }
        let mut delivered = 0;
        let mut put = |outbox: &Arc<Outbox>, frames: &[Frame]| {
            if frames.is_empty() {
                return;
            }
            let count = frames.iter().map(|frame| frame.count() as u64).sum::<u64>();
            let (pushed, first) = outbox.put_all(frames);
            if first {
                due.push(Arc::clone(outbox));
            }
            match pushed {
                Pushed::Queued => delivered += count,
                Pushed::Overflowed(dropped) => metrics.overflowed(dropped),
                Pushed::Closed => {}
            }
        };
        for outbox in state.plain.values() {
            put(outbox, events.plain.as_slice());
        }
        for subscriber in state.subscribers.values_mut() {
            if events.comings && !subscriber.join_leave {
                continue;
            }
            match &mut subscriber.pending {
                None => {
                    let new = subscriber.fresh(events);
                    put(&subscriber.outbox, &new);
                }
                Some(pending) => pending.keep(events),
            }
        }
        metrics.relay_delivered.inc_by(delivered);
        if events.over {
            self.release(&mut state);
        }
        true
    }

    /// The job is over: those who were subscribed by its submit need not be told to leave by their clients, which can't.
    fn release(&self, state: &mut State) {
        let over =
            |subscriber: &&mut Subscriber| subscriber.server_side && subscriber.pending.is_none();
        let ids: Vec<_> = state
            .subscribers
            .iter_mut()
            .filter_map(|(id, subscriber)| over(&subscriber).then_some(*id))
            .collect();
        for id in ids {
            if let Some(subscriber) = state.subscribers.remove(&id) {
                subscriber.tell_end(&self.name, Unsubscribe::Server);
            }
        }
    }

    /// A session's position can't be kept up with.
    pub(crate) fn lose(&self, id: u64) {
        if let Some(subscriber) = self.lock().subscribers.remove(&id) {
            subscriber.end(&self.name);
        }
    }

    /// Passes events on, as they are, to requests that wait for them.
    pub(crate) fn tell(&self, events: &[Envelope<'_>]) {
        crate::tail::tell(&self.lock().tails, events);
    }

    /// Whether clients of this kind are there: what nobody gets need not be encoded.
    pub(crate) fn audience(&self) -> (bool, bool) {
        let state = self.lock();
        (!state.plain.is_empty(), !state.subscribers.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
