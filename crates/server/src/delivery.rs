//! From the feeds on Redis to the clients that are subscribed to them.
//!
//! Every server follows the same feeds, so that each message and each result reaches all clients of all of them. Never
//! waits: what a client can't take in time closes that client.

use std::sync::Arc;

use broker::{Envelope, Feed, FollowState, Listener, Position};
use service::Check;
use tracing::warn;

use crate::{Metrics, channels::Channels, encode::Encoded};

/// The most events that are delivered together, well below what an outbox holds.
const BATCH: usize = 128;

/// Brings what is published to those who are subscribed.
pub(crate) struct Delivery {
    pub(crate) channels: Arc<Channels>,
    /// Told whether feeds are followed.
    pub(crate) subscribed: Check,
    pub(crate) metrics: Arc<Metrics>,
}

impl Listener for Delivery {
    fn begins(&mut self, feed: &Feed, at: &Position) {
        if let Some(channel) = self.channels.get(feed) {
            channel.begins(at);
        }
    }

    fn events(&mut self, feed: &Feed, events: &[Envelope<'_>]) {
        self.metrics.relay_events.inc_by(events.len() as u64);
        let Some(channel) = self.channels.get(feed) else {
            return;
        };
        channel.tell(events);
        for events in events.chunks(BATCH) {
            let audience = channel.audience();
            for encoded in Encoded::of(&channel.name, channel.encoding, events, audience) {
                channel.deliver(&encoded, &self.metrics);
            }
        }
    }

    fn moved(&mut self, feed: &Feed, to: &Position, lost: bool) {
        if lost {
            self.metrics.relay_gaps.inc();
        }
        if let Some(channel) = self.channels.get(feed) {
            if lost {
                warn!(
                    channel = channel.name,
                    "events were lost: some messages did not reach the clients"
                );
            }
            channel.moved(to, lost, &self.metrics);
        }
    }

    fn state(&mut self, state: FollowState) {
        match state {
            FollowState::Live => self.subscribed.set(true),
            FollowState::Away => self
                .subscribed
                .set_with(false, "Redis can't be subscribed to"),
        }
    }
}
