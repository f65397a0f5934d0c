//! From the feeds on Redis to the clients that are subscribed to them.
//!
//! Every server follows the same feeds, so that each message and each result reaches all clients of all of them. Never
//! waits: what a client can't take in time closes that client.

use std::sync::Arc;

use broker::{Envelope, Feed, FollowState, Listener, Position};
use service::Check;
use tokio_util::task::TaskTracker;
use tracing::{Span, warn};

use crate::{Metrics, Outbox, batch::Sent, channels::Channels, encode::Encoded, traced::Traced};

/// The most events that are delivered together, well below what an outbox holds.
const BATCH: usize = 128;
/// The most bytes of them.
const BATCH_BYTES: usize = 32 * 1024;

/// How many outboxes are written one after the other, which takes some milliseconds. In parts of 256 a delivery costs more:
/// two threads then wake whoever reads.
const TOGETHER: usize = 1024;

/// Brings what is published to those who are subscribed.
pub(crate) struct Delivery {
    pub(crate) channels: Arc<Channels>,
    /// Told whether feeds are followed.
    pub(crate) subscribed: Check,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) traced: Arc<Traced>,
    pub(crate) tracker: TaskTracker,
}

impl Delivery {
    /// Writes what was put into these outboxes: here, unless they are so many that others would wait and other cores could
    /// help. The spans end when all is written.
    fn flush(&self, mut due: Vec<Arc<Outbox>>, spans: &[Span]) {
        for span in spans {
            span.record("outboxes", due.len());
        }
        while due.len() > TOGETHER {
            let part = due.split_off(due.len() - TOGETHER);
            let (metrics, spans) = (Arc::clone(&self.metrics), spans.to_vec());
            self.tracker.spawn(async move {
                flush(&part, &metrics);
                drop(spans);
            });
        }
        flush(&due, &self.metrics);
    }
}

fn flush(due: &[Arc<Outbox>], metrics: &Metrics) {
    let mut sent = Sent::default();
    for outbox in due {
        sent += outbox.flush();
    }
    metrics.sent(sent);
}

/// How many of these events are delivered together: one at least.
fn fitting(events: &[Envelope<'_>]) -> usize {
    let mut bytes = 0;
    let fitting = events.iter().take(BATCH).take_while(|event| {
        let before = bytes;
        bytes += event.event.get().len();
        before == 0 || bytes <= BATCH_BYTES
    });
    fitting.count().max(1)
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
        let spans = self.traced.delivery(&channel.name, events);
        channel.tell(events);
        let mut rest = events;
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(fitting(rest));
            rest = later;
            let audience = channel.audience();
            let mut due = Vec::new();
            for encoded in Encoded::of(&channel.name, channel.encoding, batch, audience) {
                if !channel.deliver(&encoded, &self.metrics, &mut due) {
                    // Somebody came meanwhile who would go without: what is not encoded was not delivered to anybody yet.
                    let all = (true, true);
                    for encoded in Encoded::of(&channel.name, channel.encoding, batch, all) {
                        channel.deliver(&encoded, &self.metrics, &mut due);
                    }
                    break;
                }
            }
            self.flush(due, &spans);
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
