//! Follows any number of feeds over one connection: delivers their events in order and without gaps, across lost
//! messages and reconnects.
//!
//! Subscribe first, then read the logs, then go on live; what was seen is dropped by its offset. Positions are also
//! compared with the logs every few seconds, because pub/sub forgets silently. What a feed's events mean is its
//! [`Listener`]'s business.

mod compare;
mod followed;
#[cfg(feature = "testing")]
pub(crate) mod offline;
mod placed;
mod placer;
mod shards;
mod wanted;

use std::{collections::HashMap, sync::Arc, time::Duration};

use redis::Msg;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{Backoff, Envelope, Error, Feed, Part, Position, Redis, subscription::Subscription};

use followed::{Followed, Verdict};
pub use wanted::Feeds;
use wanted::{Wanted, Wish};

/// How often positions are compared with the logs.
const CHECK: Duration = Duration::from_secs(10);
/// How many events one read of a log returns, and how many bytes end one.
const PAGE: usize = 500;
const PAGE_BYTES: usize = 128 * 1024;
/// How many messages are taken together, where that many have come.
const MESSAGES: usize = 256;
/// And how many bytes end that: more would flood those who are written to in between.
const MESSAGES_BYTES: usize = 128 * 1024;
/// How long what positions lack may still be on its way to here.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Whether feeds are followed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowState {
    /// Not connected; events are caught up with later.
    Away,
    /// Connected and caught up.
    Live,
}

/// What is told of feeds. No call may block: all feeds wait for it.
pub trait Listener: Send {
    /// A feed is followed from here: all events after this place will come.
    fn begins(&mut self, feed: &Feed, at: &Position);

    /// The next events, without a gap; or such that are in no log.
    fn events(&mut self, feed: &Feed, events: &[Envelope<'_>]);

    /// The log goes on under another epoch or from another offset. If `lost`, events are missing or were void.
    fn moved(&mut self, feed: &Feed, to: &Position, lost: bool);

    /// The connection's state, which is that of all feeds.
    fn state(&mut self, state: FollowState);
}

impl Feeds {
    /// Follows what is wanted until `stop`.
    pub async fn run(self, redis: Redis, listener: impl Listener, stop: CancellationToken) {
        placed::run(self.0, redis, listener, false, stop).await;
    }

    /// The same where that is one feed alone: whether it is followed is all that there is to tell.
    pub(crate) async fn run_one(
        self,
        redis: Redis,
        listener: impl Listener,
        stop: CancellationToken,
    ) {
        placed::run(self.0, redis, listener, true, stop).await;
    }

    /// Follows what is wanted, all of which is where its name says.
    async fn run_placed(
        self,
        redis: Redis,
        listener: impl Listener,
        is_one: bool,
        stop: CancellationToken,
    ) {
        if redis.is_cluster() {
            shards::run(self.0, redis, listener, is_one, stop).await;
        } else {
            self.run_at(redis, String::new(), listener, stop).await;
        }
    }

    /// The same where all that is wanted is on the server that has a key.
    async fn run_at(
        self,
        redis: Redis,
        key: String,
        listener: impl Listener,
        stop: CancellationToken,
    ) {
        let mut follower = Follower {
            redis,
            key,
            wanted: self.0,
            listener,
            followed: HashMap::new(),
        };
        let mut backoff = Backoff::default();
        loop {
            let ended = tokio::select! {
                biased;
                // Whoever takes its place may be at work already, and be told of by the same listener.
                () = stop.cancelled() => return,
                ended = follower.session(&mut backoff) => ended,
            };
            follower.listener.state(FollowState::Away);
            match ended {
                Ok(()) => warn!("subscriptions lost, subscribing again"),
                Err(error) if backoff.tries() == 0 => {
                    warn!(%error, "can't subscribe, trying again");
                }
                Err(error) => debug!(%error, "can't subscribe"),
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.pause()) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

struct Follower<L> {
    redis: Redis,
    /// Of the server that has all that is followed.
    key: String,
    wanted: Arc<Wanted>,
    listener: L,
    /// By pub/sub channel.
    followed: HashMap<String, Followed>,
}

impl<L: Listener> Follower<L> {
    /// One connection, from subscribing to its end.
    async fn session(&mut self, backoff: &mut Backoff) -> Result<(), Error> {
        let again = backoff.tries() > 0;
        let mut subscription = self.redis.subscription(&self.key, again).await?;
        self.take_changes();
        let names: Vec<_> = self.followed.keys().cloned().collect();
        subscription.set(&names, true).await?;
        self.compare().await?;
        if backoff.tries() > 0 {
            info!(feeds = self.followed.len(), "subscribed again");
        }
        backoff.reset();
        self.listener.state(FollowState::Live);
        let wanted = Arc::clone(&self.wanted);
        let mut check = tokio::time::interval(CHECK);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        check.reset();
        let mut silent_losses = 0;
        let mut suspects = Vec::new();
        let mut look_again = std::pin::pin!(tokio::time::sleep(CHECK));
        loop {
            tokio::select! {
                message = subscription.next() => {
                    let Some(message) = message else { return Ok(()) };
                    silent_losses = 0;
                    let mut bytes = message.get_payload_bytes().len();
                    let mut messages = vec![message];
                    while messages.len() < MESSAGES
                        && bytes < MESSAGES_BYTES
                        && let Some(next) = subscription.ready()
                    {
                        bytes += next.get_payload_bytes().len();
                        messages.push(next);
                    }
                    self.receive(&messages).await?;
                    // Who writes to clients gets its turn.
                    tokio::task::yield_now().await;
                }
                () = wanted.changed.notified() => self.change(&mut subscription).await?,
                _ = check.tick() => {
                    suspects = self.suspects().await?;
                    look_again.as_mut().reset(tokio::time::Instant::now() + ON_ITS_WAY);
                }
                () = look_again.as_mut(), if !suspects.is_empty() => {
                    // Once may be a message that was lost; twice without any is a dead subscription.
                    if self.clear_up(std::mem::take(&mut suspects)).await? {
                        silent_losses += 1;
                        if silent_losses > 1 {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    /// Takes over what is wanted by now. Returns the channels that are new, and those that are not wanted any more.
    fn take_changes(&mut self) -> (Vec<String>, Vec<String>) {
        let changes = self.wanted.take();
        let (mut new, mut old) = (Vec::new(), Vec::new());
        for (feed, wish) in changes {
            let channel = feed.channel();
            match (wish, self.followed.get(&channel)) {
                (Wish::Leave, Some(_)) => {
                    self.followed.remove(&channel);
                    old.push(channel);
                }
                (Wish::Leave, None) => {}
                (wish, None) => {
                    let position = (wish == Wish::FollowAll).then(Position::default);
                    self.followed
                        .insert(channel.clone(), Followed { feed, position });
                    new.push(channel);
                }
                (_, Some(followed)) => {
                    if let Some(position) = &followed.position {
                        self.listener.begins(&feed, position);
                    }
                }
            }
        }
        (new, old)
    }

    async fn change(&mut self, subscription: &mut Subscription) -> Result<(), Error> {
        let (new, old) = self.take_changes();
        subscription.set(&old, false).await?;
        subscription.set(&new, true).await?;
        self.compare_some(new).await.map(|_| ())
    }

    async fn compare(&mut self) -> Result<bool, Error> {
        let all = self.followed.keys().cloned().collect();
        self.compare_some(all).await
    }

    async fn receive(&mut self, messages: &[Msg]) -> Result<(), Error> {
        // In the order in which the channels are first met; of one channel in that of its messages.
        let mut channels: Vec<(&str, Vec<Envelope<'_>>)> = Vec::new();
        for message in messages {
            let channel = message.get_channel_name();
            let text = std::str::from_utf8(message.get_payload_bytes())
                .map_err(|_| Error::Stored("a published message is not UTF-8".into()))?;
            let index = channels.iter().position(|(name, _)| *name == channel);
            let index = index.unwrap_or_else(|| {
                channels.push((channel, Vec::new()));
                channels.len() - 1
            });
            for event in Envelope::lines(text) {
                if let Some(event) = event {
                    channels[index].1.push(event);
                } else {
                    warn!(channel, "a published message is no event; ignored");
                }
            }
        }
        for (channel, events) in channels {
            self.deliver(channel, &events).await?;
        }
        Ok(())
    }

    async fn deliver(&mut self, channel: &str, events: &[Envelope<'_>]) -> Result<(), Error> {
        let mut next = 0;
        for (n, event) in events.iter().enumerate() {
            let Some(followed) = self.followed.get_mut(channel) else {
                return Ok(());
            };
            let verdict = followed.judge(event);
            if verdict == Verdict::Next {
                if let Some(position) = &mut followed.position
                    && event.offset > 0
                {
                    position.offset = event.offset;
                }
                continue;
            }
            if next < n {
                self.listener.events(&followed.feed, &events[next..n]);
            }
            next = n + 1;
            if verdict == Verdict::Gap {
                // The log has this event too, and what is missing before it.
                self.catch_up(channel).await?;
            }
        }
        if next < events.len()
            && let Some(followed) = self.followed.get(channel)
        {
            self.listener.events(&followed.feed, &events[next..]);
        }
        Ok(())
    }

    /// Delivers what the log has after the position; says whether that was anything.
    async fn catch_up(&mut self, channel: &str) -> Result<bool, Error> {
        let mut delivered = false;
        loop {
            let Some(Followed {
                feed,
                position: Some(position),
            }) = self.followed.get_mut(channel)
            else {
                return Ok(delivered);
            };
            let part = Part::After(position.offset);
            let page = self.redis.log_at(feed, part, PAGE, PAGE_BYTES).await?;
            let top = page.top.position.clone();
            if top.epoch.is_empty() {
                // The log is gone, and nothing was published since. The next event begins another.
                return Ok(delivered);
            }
            if top.epoch != position.epoch || top.offset < position.offset {
                // Someone who began where no log was has lost nothing.
                let lost = !position.epoch.is_empty() && !page.top.goes_on_from(position);
                if lost {
                    position.offset = page.top.shares_until(&position.epoch).unwrap_or(0);
                }
                position.epoch = top.epoch;
                self.listener.moved(feed, position, lost);
                if lost {
                    continue;
                }
            }
            for (offset, json) in &page.entries {
                if *offset > position.offset + 1 {
                    position.offset = offset - 1;
                    self.listener.moved(feed, position, true);
                }
                position.offset = *offset;
                let Ok(event) = serde_json::from_str(json) else {
                    warn!(channel, offset, "an event can't be read");
                    continue;
                };
                let epoch = &*position.epoch;
                let offset = *offset;
                self.listener.events(
                    feed,
                    &[Envelope {
                        epoch,
                        offset,
                        event,
                    }],
                );
            }
            delivered |= !page.entries.is_empty();
            // Who writes to clients gets its turn.
            tokio::task::yield_now().await;
            if position.offset >= top.offset {
                return Ok(delivered);
            }
            if page.entries.is_empty() {
                // What is missing is not there any more.
                position.offset = top.offset;
                self.listener.moved(feed, position, true);
                return Ok(true);
            }
        }
    }
}
