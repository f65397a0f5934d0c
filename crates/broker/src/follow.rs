//! Follows one channel of a queue, for those who care for no other.

use protocol::{Channel, Event, Published};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{Envelope, Feed, Feeds, FollowState, Listener, Position, Redis};

/// What following a channel brings.
#[derive(Debug)]
#[non_exhaustive]
pub enum Delivery<'a> {
    /// The next event.
    Event(&'a Published<'a>),
    /// Events were lost: the log no longer had them, or was replaced by another.
    Gap,
}

/// Follows a channel from now on until `stop`. `deliver` must not block: it holds up the channel.
pub async fn follow(
    redis: Redis,
    channel: Channel,
    on_state: impl FnMut(FollowState) + Send,
    deliver: impl FnMut(Delivery<'_>) + Send,
    stop: CancellationToken,
) {
    let feeds = Feeds::default();
    let feed = Feed::topic(redis.prefix(), &channel);
    feeds.follow(&feed);
    let one = One {
        channel,
        on_state,
        deliver,
    };
    feeds.run_one(redis, one, stop).await;
}

struct One<S, D> {
    channel: Channel,
    on_state: S,
    deliver: D,
}

impl<S, D> Listener for One<S, D>
where
    S: FnMut(FollowState) + Send,
    D: FnMut(Delivery<'_>) + Send,
{
    fn begins(&mut self, _feed: &Feed, _at: &Position) {}

    fn events(&mut self, _feed: &Feed, events: &[Envelope<'_>]) {
        for envelope in events {
            match serde_json::from_str::<Event<'_>>(envelope.event.get()) {
                Ok(event) => (self.deliver)(Delivery::Event(&Published {
                    epoch: envelope.epoch,
                    offset: envelope.offset,
                    event,
                })),
                Err(error) => {
                    warn!(channel = %self.channel, offset = envelope.offset, %error, "an event can't be read");
                }
            }
        }
    }

    fn moved(&mut self, _feed: &Feed, _to: &Position, lost: bool) {
        if lost {
            (self.deliver)(Delivery::Gap);
        }
    }

    fn state(&mut self, state: FollowState) {
        (self.on_state)(state);
    }
}
