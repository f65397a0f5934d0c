//! Publishes to plain rooms: what is said is logged where the room has a history, and goes out to who follows it.
//!
//! A room's log is that of a topic, so that [`Redis::log`] and [`crate::Feeds`] read both. Under the room's base
//! (`<prefix>{@<namespace>}:`) there are
//! - `log:<name>`, a list of events, `{"pub":…}`, whose offsets are dense: it ends with the newest;
//! - `top:<name>`, a hash: e(poch), o(ffset of the newest), f(irst offset kept), b(ytes kept), r(un of Redis),
//!   p(revious epochs). It outlives the list, so that offsets go on;
//! - `idem:<name>:<SHA-1 of the key>`, what the first publication with an idempotency key was answered;
//! - `sent:<sender>`, what a sender's latest batch was answered, for a minute.
//!
//! A room without history has none of these. Who may publish, and how much, is not decided here.

mod batcher;

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use crate::{Error, Feed, Position, Redis, script::FORGET};

use batcher::{Batcher, Item};

/// What a room remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// How many publications are kept, the newest. 0 means no history.
    pub size: u32,
    /// How long they are kept after the latest of them, to the millisecond. Less than one means no history.
    pub ttl: Duration,
    /// How long the epoch and the offset are kept after the latest publication; at least [`Self::ttl`].
    pub meta_ttl: Duration,
}

impl History {
    /// Which remembers where the log is for 30 days.
    pub const fn new(size: u32, ttl: Duration) -> Self {
        Self {
            size,
            ttl,
            meta_ttl: Duration::from_secs(30 * 24 * 3600),
        }
    }

    fn remembers(&self) -> bool {
        self.size > 0 && self.ttl.as_millis() > 0
    }
}

/// What is said in a room.
#[derive(Clone, Debug)]
pub struct Publication {
    /// An object with `data` and, where there are any, `info` and `tags`. Its size is for the caller to bound. Line
    /// breaks, which in JSON are nothing but space, become spaces.
    pub body: Box<RawValue>,
    /// What the room remembers; without one, who does not follow the room now will not hear of it.
    pub history: Option<History>,
    /// Of publications in one room with the same key only the first is published, within five minutes.
    pub key: Option<String>,
}

/// Why a publication is not known to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Redis did not confirm it in time. It may be published all the same, or still be.
    #[error("it is not confirmed that the message is published")]
    Unconfirmed,
    /// Redis has no memory left. It is not published.
    #[error("there is no room for more messages now")]
    Full,
    /// Redis refused it; the log says why.
    #[error("the message can't be published")]
    Refused,
    /// This process is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// How publications are collected into batches.
#[derive(Clone, Debug)]
pub struct RoomsConfig {
    /// How long a publication may take to be confirmed. Outages shorter than this are not seen by publishers.
    pub accept_timeout: Duration,
    /// How many publications may wait to be sent; more make the publisher wait.
    pub capacity: usize,
    /// How many go in one batch.
    pub max_batch: usize,
    /// How many bytes begin no further publication in a batch.
    pub max_batch_bytes: usize,
    /// When this is cancelled, what is not published is not waited for any more.
    pub hard: CancellationToken,
}

impl Default for RoomsConfig {
    fn default() -> Self {
        Self {
            accept_timeout: Duration::from_secs(10),
            capacity: 1024,
            max_batch: 128,
            max_batch_bytes: 1024 * 1024,
            hard: CancellationToken::new(),
        }
    }
}

/// Hands publications to the task that publishes them: while one batch is on its way to Redis, the next collects.
/// What is handed in one after the other comes in this order. The task ends when the last clone is gone
/// and all is published.
#[derive(Clone)]
pub struct Rooms {
    redis: Redis,
    items: mpsc::Sender<Item>,
}

impl Rooms {
    /// Starts the publishing task.
    pub fn spawn(redis: Redis, config: RoomsConfig, tracker: &TaskTracker) -> Self {
        let (items, receiver) = mpsc::channel(config.capacity);
        tracker.spawn(Batcher::new(redis.clone(), config, receiver).run());
        Self { redis, items }
    }

    /// Publishes, and waits until it is done; see [`Self::begin`].
    pub async fn publish(
        &self,
        feed: &Feed,
        publication: Publication,
    ) -> Result<Position, PublishError> {
        self.begin(feed, publication).await?.await
    }

    /// Hands a publication in, which takes its place among those of the room, and returns what tells how it went. Waits
    /// only while the queue is full. A short outage of Redis is waited for, and makes no duplicates.
    pub async fn begin(
        &self,
        feed: &Feed,
        publication: Publication,
    ) -> Result<Publishing, PublishError> {
        let event = format!(r#"{{"pub":{}}}"#, publication.body.get());
        let key = publication.key.unwrap_or_default();
        self.send(feed, event, publication.history, key).await
    }

    /// Makes sure that a room with a history has an epoch, and says where its log is. A room that nobody ever published
    /// in costs a hash for the history's `meta_ttl`.
    pub async fn open(&self, feed: &Feed, history: History) -> Result<Position, PublishError> {
        if !history.remembers() {
            return Ok(Position::default());
        }
        if feed.queue().is_some() {
            // A topic has its log where the queue would begin it, and nowhere else.
            let lives = history.meta_ttl.max(history.ttl);
            let opened = self.redis.open_topic(feed, lives).await;
            return opened.map_err(|error| {
                warn!(topic = feed.name(), %error, "a topic's log can't be begun");
                PublishError::Unconfirmed
            });
        }
        self.send(feed, String::new(), Some(history), String::new())
            .await?
            .await
    }

    /// Says something in a room that no log keeps: `{"join":…}` or `{"leave":…}`. Takes its place among the room's
    /// publications. Waits for a place in the queue, not for Redis: it is lost if Redis is away for longer
    /// than the timeout.
    pub async fn announce(&self, feed: &Feed, event: &RawValue) -> Result<(), PublishError> {
        let item = Item {
            feed: feed.clone(),
            event: event.get().to_owned(),
            history: None,
            key: String::new(),
            done: None,
            at: Instant::now(),
        };
        let sent = self.items.send(item).await;
        sent.map_err(|_| PublishError::Stopping)
    }

    /// Forgets what was published in a room. Its epoch stays and its offsets go on.
    pub async fn history_remove(&self, feed: &Feed) -> Result<(), Error> {
        let mut call = FORGET.call(feed.base());
        call.arg(feed.name());
        self.redis.script::<u8>(&call).await.map(drop)
    }

    async fn send(
        &self,
        feed: &Feed,
        event: String,
        history: Option<History>,
        key: String,
    ) -> Result<Publishing, PublishError> {
        let (done, answer) = oneshot::channel();
        let item = Item {
            feed: feed.clone(),
            event,
            history: history.filter(History::remembers),
            key,
            done: Some(done),
            at: Instant::now(),
        };
        let sent = self.items.send(item).await;
        sent.map_err(|_| PublishError::Stopping)?;
        Ok(Publishing(answer))
    }
}

/// A publication on its way. Whoever drops it does not hear how it went, and does not stop it.
#[derive(Debug)]
pub struct Publishing(oneshot::Receiver<Result<Position, PublishError>>);

impl Future for Publishing {
    /// Where in the room's log it is, or where the first one with the same key was; offset 0 and no epoch without a
    /// history.
    type Output = Result<Position, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(answer.unwrap_or(Err(PublishError::Stopping)))
    }
}
