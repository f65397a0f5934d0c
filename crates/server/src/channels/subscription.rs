//! A place in a channel: when it begins to be served, and what is done when it is given up.

use std::{collections::HashMap, sync::Arc, time::Duration};

use broker::Position;

use super::{Channel, Channels, count, subscriber::Pending};
use crate::Metrics;

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

    /// Delivers what was kept back after an offset, and from here on everything at once.
    pub(crate) fn go_live(&self, after: u64, metrics: &Metrics) {
        let mut state = self.channel.lock();
        let Some(subscriber) = state.subscribers.get_mut(&self.id) else {
            return;
        };
        let Some(pending) = subscriber.pending.take() else {
            return;
        };
        if pending.lost && subscriber.positioned {
            if let Some(subscriber) = state.subscribers.remove(&self.id) {
                subscriber.end(&self.channel.name);
            }
            return;
        }
        subscriber.given = after;
        let frames = pending.frames.into_iter();
        let frames: Vec<_> = frames
            .filter(|(offset, _)| *offset == 0 || *offset > after)
            .map(|(_, frame)| frame)
            .collect();
        if !frames.is_empty() {
            count(subscriber.outbox.push_all(&frames), metrics);
        }
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
