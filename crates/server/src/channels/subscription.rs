//! A place in a channel: when it begins to be served, and what is done when it is given up.

use std::{collections::HashMap, sync::Arc, time::Duration};

use broker::Position;

use super::{Channel, Channels, subscriber::Pending};
use crate::Frame;

/// How long the first subscriber of a channel may wait for Redis.
const READY: Duration = Duration::from_secs(5);

/// A place in a channel, until it is dropped.
pub(crate) struct Subscription {
    pub(super) channels: Arc<Channels>,
    pub(crate) channel: Arc<Channel>,
    pub(super) id: u64,
}

/// Redis could not be reached in time, so that nothing is known of the channel.
#[derive(Debug)]
pub(crate) struct NotReady;

impl Subscription {
    /// Waits until the channel is followed, and says up to where it was delivered.
    pub(crate) async fn ready(&self) -> Result<Position, NotReady> {
        let ready = async {
            loop {
                let began = self.channel.began.notified();
                if let Some(position) = &self.channel.lock().position {
                    return position.clone();
                }
                began.await;
            }
        };
        tokio::time::timeout(READY, ready)
            .await
            .map_err(|_| NotReady)
    }

    /// Where the channel is now. What was kept back so far is not wanted any more.
    pub(crate) fn skip(&self) -> Position {
        let mut state = self.channel.lock();
        if let Some(subscriber) = state.subscribers.get_mut(&self.id) {
            subscriber.pending = Some(Pending::default());
        }
        state.position.clone().unwrap_or_default()
    }

    /// The next of what was kept back after an offset, for the client to be given. None once that is all: from then on
    /// events go out as they come. If `over`, what the client has ends the job whose channel this is.
    pub(crate) fn kept_back(&self, after: u64, over: bool) -> Option<Vec<Frame>> {
        let mut state = self.channel.lock();
        let subscriber = state.subscribers.get_mut(&self.id)?;
        let pending = subscriber.pending.as_mut()?;
        if pending.lost && subscriber.positioned {
            if let Some(subscriber) = state.subscribers.remove(&self.id) {
                subscriber.end(&self.channel.name);
            }
            return None;
        }
        if let Some(part) = pending.part(after) {
            return Some(part);
        }
        let over = pending.over || over;
        subscriber.pending = None;
        subscriber.given = after;
        if over {
            self.channel.release(&mut state);
        }
        None
    }

    /// Whether it still gets anything: the server may have ended it.
    pub(crate) fn is_live(&self) -> bool {
        self.channel.lock().subscribers.contains_key(&self.id)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut channels = self.channels.lock();
        let mut state = self.channel.lock();
        state.plain.remove(&self.id);
        state.subscribers.remove(&self.id);
        state.tails.remove(&self.id);
        self.channels.metrics.subscriptions.dec();
        if !state.is_needed() {
            // Another channel may have taken its place, if this was its second dropping.
            if channels
                .get(&self.channel.feed)
                .is_some_and(|channel| Arc::ptr_eq(channel, &self.channel))
            {
                channels.remove(&self.channel.feed);
                self.channels.metrics.channels.dec();
                self.channels.feeds.leave(&self.channel.feed);
            }
            return;
        }
        // After a peak the tables would stay as large as the peak.
        shrink(&mut state.plain);
        shrink(&mut state.subscribers);
        shrink(&mut state.tails);
    }
}

fn shrink<T>(map: &mut HashMap<u64, T>) {
    if map.capacity() > 1024 && map.len() * 8 < map.capacity() {
        map.shrink_to_fit();
    }
}
