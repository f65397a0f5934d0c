//! Follows one channel: delivers its events in order and without gaps, across lost messages and reconnects.
//!
//! Subscribe first, then read the log, then go on live; what was seen is dropped by its offset. The log is also
//! compared every few seconds, because pub/sub forgets silently.

use std::time::Duration;

use futures_util::StreamExt as _;
use protocol::{Channel, Event, EventType, JobId, Published};
use redis::Msg;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{Backoff, Error, Keys, Redis, script::HISTORY};

/// How often the log is compared with what was delivered.
const CHECK: Duration = Duration::from_secs(10);
/// How many events one read of the log returns.
const PAGE: usize = 500;

/// What following a channel brings.
#[derive(Debug)]
#[non_exhaustive]
pub enum Delivery<'a> {
    /// The next event.
    Event(&'a Published<'a>),
    /// Events were lost: the log no longer had them, or was replaced by another.
    Gap,
}

/// Where a follower is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowState {
    /// Not connected; events are caught up with later.
    Away,
    /// Connected and caught up.
    Live,
}

/// Follows a channel from now on until `stop`. `deliver` must not block: it holds up the channel.
pub async fn follow(
    redis: Redis,
    channel: Channel,
    mut on_state: impl FnMut(FollowState) + Send,
    deliver: impl FnMut(Delivery<'_>) + Send,
    stop: CancellationToken,
) {
    let keys = Keys::new(redis.prefix(), channel.queue.clone());
    let mut follower = Follower {
        redis,
        keys,
        channel,
        deliver,
        position: None,
        live: None,
    };
    let mut backoff = Backoff::default();
    loop {
        let ended = tokio::select! {
            ended = follower.session(&mut on_state, &mut backoff) => ended,
            () = stop.cancelled() => return,
        };
        on_state(FollowState::Away);
        match ended {
            Ok(()) => warn!(channel = %follower.channel, "subscription lost, subscribing again"),
            Err(error) if backoff.tries() == 0 => {
                warn!(channel = %follower.channel, %error, "can't subscribe, trying again");
            }
            Err(error) => debug!(channel = %follower.channel, %error, "can't subscribe"),
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.pause()) => {}
            () = stop.cancelled() => return,
        }
    }
}

struct Follower<F> {
    redis: Redis,
    keys: Keys,
    channel: Channel,
    deliver: F,
    /// Up to where everything was delivered.
    position: Option<Position>,
    /// The epoch and offset of this subscription's latest message.
    live: Option<(String, u64)>,
}

/// A place in a log.
struct Position {
    epoch: String,
    offset: u64,
    /// The event there, if it is known: another in its place means that Redis lost its last writes, and gave out their
    /// offsets again.
    mark: Option<Mark>,
    /// After such a loss: events up to this time were delivered before.
    seen_until: u64,
}

/// What tells an event from others.
type Mark = (JobId, EventType, u32, u64);

fn mark(event: &Event<'_>) -> Mark {
    (event.job, event.event, event.attempt, event.time)
}

impl<F: FnMut(Delivery<'_>) + Send> Follower<F> {
    /// One connection, from subscribing to its end.
    async fn session(
        &mut self,
        on_state: &mut (impl FnMut(FollowState) + Send),
        backoff: &mut Backoff,
    ) -> Result<(), Error> {
        let name = self.keys.channel(&self.channel.topic);
        let pubsub = self.redis.subscribe(&name).await?;
        self.live = None;
        self.catch_up().await?;
        if backoff.tries() > 0 {
            info!(channel = %self.channel, "subscribed again");
        }
        backoff.reset();
        on_state(FollowState::Live);
        let mut messages = pubsub.into_on_message();
        let mut check = tokio::time::interval(CHECK);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        check.reset();
        let mut silent_losses = 0;
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => {
                        silent_losses = 0;
                        self.receive(&message).await?;
                    }
                    None => return Ok(()),
                },
                _ = check.tick() => {
                    // Once may be a message still on its way; twice without any is a dead subscription.
                    if self.catch_up().await? {
                        silent_losses += 1;
                        if silent_losses > 1 {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    async fn receive(&mut self, message: &Msg) -> Result<(), Error> {
        let text = std::str::from_utf8(message.get_payload_bytes())
            .map_err(|_| Error::Stored("a published message is not UTF-8".into()))?;
        for line in text.split('\n') {
            let Ok(published) = serde_json::from_str::<Published<'_>>(line) else {
                warn!(channel = %self.channel, "a published message is no event; ignored");
                continue;
            };
            // Messages of one subscription come in the order of their offsets. One that goes back is of a Redis
            // that lost its last writes and gives out their offsets again.
            let back = self.live.as_ref().is_some_and(|(epoch, offset)| {
                epoch == published.epoch && published.offset <= *offset
            });
            match &mut self.live {
                Some((epoch, offset)) if epoch == published.epoch => *offset = published.offset,
                live => *live = Some((published.epoch.to_owned(), published.offset)),
            }
            if back {
                (self.deliver)(Delivery::Gap);
                self.position = Some(Position {
                    epoch: published.epoch.to_owned(),
                    offset: published.offset.saturating_sub(1),
                    mark: None,
                    seen_until: 0,
                });
            }
            let next = match &mut self.position {
                Some(position) if position.epoch == published.epoch => {
                    // Read from the log already.
                    if published.offset <= position.offset {
                        continue;
                    }
                    let next = published.offset == position.offset + 1;
                    if next {
                        position.offset += 1;
                        position.mark = Some(mark(&published.event));
                    }
                    next
                }
                _ => false,
            };
            if next {
                (self.deliver)(Delivery::Event(&published));
            } else {
                // The log has this event too, and what is missing before it.
                self.catch_up().await?;
            }
        }
        Ok(())
    }

    /// Delivers what the log has after the position; says whether that was anything.
    async fn catch_up(&mut self) -> Result<bool, Error> {
        let mut delivered = false;
        loop {
            let after = self.position.as_ref().map_or(0, |position| position.offset);
            // Someone who begins wants to know only where the log is.
            let most = if self.position.is_some() { PAGE } else { 0 };
            let mut call = HISTORY.prepare_invoke();
            call.key(self.keys.base())
                .arg(self.channel.topic.as_str())
                .arg(after)
                .arg(most);
            let (epoch, top, here, page): (String, u64, String, Vec<(u64, String)>) =
                self.redis.script(&call).await?;
            let here = serde_json::from_str::<Event<'_>>(&here).ok();
            let here = here.as_ref().map(mark);
            match &mut self.position {
                None => {
                    self.position = Some(Position {
                        epoch,
                        offset: top,
                        mark: None,
                        seen_until: 0,
                    });
                    if top == 0 {
                        return Ok(delivered);
                    }
                    // Once more, for the mark.
                }
                // The log is gone, and nothing was published since. The next event begins another.
                Some(_) if epoch.is_empty() => return Ok(delivered),
                Some(position) if position.epoch != epoch => {
                    // A channel that had no log before lost nothing.
                    if !position.epoch.is_empty() {
                        (self.deliver)(Delivery::Gap);
                    }
                    position.epoch = epoch;
                    position.offset = 0;
                    position.mark = None;
                }
                // Redis lost its last writes. What comes next may reuse offsets that were delivered.
                Some(position) if top < position.offset => {
                    (self.deliver)(Delivery::Gap);
                    position.offset = top;
                    position.mark = None;
                }
                // The same, and they were reused already: what is new in the log is later than all that was seen.
                Some(position)
                    if here.is_some() && position.mark.is_some() && position.mark != here =>
                {
                    (self.deliver)(Delivery::Gap);
                    position.seen_until = position.mark.map_or(0, |(.., time)| time);
                    position.offset = 0;
                    position.mark = None;
                }
                Some(position) => {
                    position.mark = position.mark.or(here);
                    let full = page.len() == PAGE;
                    delivered |= !page.is_empty();
                    self.replay(&epoch, page);
                    if !full {
                        return Ok(delivered);
                    }
                }
            }
        }
    }

    fn replay(&mut self, epoch: &str, page: Vec<(u64, String)>) {
        for (offset, json) in page {
            let Some(position) = &mut self.position else {
                return;
            };
            if offset > position.offset + 1 && position.seen_until == 0 {
                (self.deliver)(Delivery::Gap);
            }
            position.offset = offset;
            match serde_json::from_str::<Event<'_>>(&json) {
                Ok(event) => {
                    position.mark = Some(mark(&event));
                    if event.time <= position.seen_until {
                        continue;
                    }
                    position.seen_until = 0;
                    (self.deliver)(Delivery::Event(&Published {
                        epoch,
                        offset,
                        event,
                    }));
                }
                Err(error) => {
                    position.mark = None;
                    warn!(channel = %self.channel, offset, %error, "an event can't be read");
                }
            }
        }
    }
}
