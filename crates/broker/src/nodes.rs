//! The servers that are there, and what they tell one another.
//!
//! A server is present among the servers as a client is in a room: in a room of a namespace that no room of a client can
//! have, since its name holds a colon; so that `lua/presence` serves both. Its keys and the control channel begin with
//! `<prefix>{@:}:`.
//!
//! What is told is not logged. A server that is away, or whose connection breaks, never hears what is told meanwhile:
//! who sends must be content with that, or look for itself when [`Nodes::listen`] says that it is live again. What the
//! messages mean is not known here.

use std::{collections::HashMap, time::Duration};

use rand::RngExt as _;
use redis::Msg;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{Backoff, Error, Feed, FollowState, Presence, Redis};

/// A namespace that no wire channel can name.
const NAMESPACE: &str = ":";

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TellError {
    /// It is longer than [`Nodes::MOST_BYTES`].
    #[error("a message of {0} bytes to the servers is too long")]
    TooLong(usize),
    /// Redis did not take it, or did not say so.
    #[error(transparent)]
    Redis(#[from] Error),
}

/// The servers under one prefix.
#[derive(Clone)]
pub struct Nodes {
    redis: Redis,
    registry: Presence,
    room: Feed,
    control: String,
    /// How often a listener asks whether messages reach it.
    check: Duration,
}

impl Nodes {
    /// How many bytes a message may have.
    pub const MOST_BYTES: usize = 64 * 1024;

    /// Servers that count as gone when they gave no sign of life for so long: [`Presence::TTL`] unless in a test.
    pub fn new(redis: Redis, ttl: Duration) -> Self {
        Self {
            registry: Presence::new(redis.clone(), ttl),
            room: Feed::room(redis.prefix(), NAMESPACE, "nodes"),
            control: Feed::room(redis.prefix(), NAMESPACE, "control").channel(),
            check: (ttl / 6).max(Duration::from_millis(1)),
            redis,
        }
    }

    /// A sign of life of a server, with what it says of itself; one is due every third of the time to live. Says whether
    /// the server was not known before.
    pub async fn beat(&self, uid: &str, about: &RawValue) -> Result<bool, Error> {
        self.registry.enter(&self.room, uid, about).await
    }

    /// The servers that are there, with what they say of themselves; [`Presence::MOST`] at most.
    pub async fn list(&self) -> Result<HashMap<String, Box<RawValue>>, Error> {
        Ok(self.registry.list(&self.room).await?.clients)
    }

    /// A server is gone. Says whether it was known.
    pub async fn gone(&self, uid: &str) -> Result<bool, Error> {
        self.registry.leave(&self.room, uid).await
    }

    /// Tells something to all servers that listen now, this one included. Says how many connections it went to.
    pub async fn send(&self, message: &RawValue) -> Result<u64, TellError> {
        let text = message.get();
        if text.len() > Self::MOST_BYTES {
            return Err(TellError::TooLong(text.len()));
        }
        Ok(self.publish(&self.control, text).await?)
    }

    /// Hears what is told to all servers, until `stop`. Neither callback may block. A message comes at most once, in the
    /// order in which they were sent; one that is sent while the state is [`FollowState::Away`] is lost, and so may be
    /// those of the third of a time to live before it, where a connection was dead and nobody knew.
    pub async fn listen(
        self,
        mut on_message: impl FnMut(&str) + Send,
        mut on_state: impl FnMut(FollowState) + Send,
        stop: CancellationToken,
    ) {
        let mut backoff = Backoff::default();
        loop {
            let ended = tokio::select! {
                ended = self.session(&mut on_message, &mut on_state, &mut backoff) => ended,
                () = stop.cancelled() => return,
            };
            on_state(FollowState::Away);
            match ended {
                Ok(()) => warn!("the servers' channel is lost, subscribing again"),
                Err(error) if backoff.tries() == 0 => {
                    warn!(%error, "can't subscribe to the servers' channel, trying again");
                }
                Err(error) => debug!(%error, "can't subscribe to the servers' channel"),
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.pause()) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// One connection, from subscribing to its end.
    async fn session(
        &self,
        on_message: &mut (impl FnMut(&str) + Send),
        on_state: &mut (impl FnMut(FollowState) + Send),
        backoff: &mut Backoff,
    ) -> Result<(), Error> {
        // There is no log to compare with; so the listener sends to itself now and then.
        let probe = format!("{}:{:016x}", self.control, rand::rng().random::<u64>());
        let again = backoff.tries() > 0;
        let mut subscription = self.redis.subscription(&self.control, again).await?;
        let channels = [self.control.clone(), probe.clone()];
        subscription.set(&channels, true).await?;
        if backoff.tries() > 0 {
            info!("subscribed to the servers' channel again");
        }
        backoff.reset();
        on_state(FollowState::Live);
        let mut check = tokio::time::interval(self.check);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        check.reset();
        let mut heard = true;
        loop {
            tokio::select! {
                message = subscription.next() => {
                    let Some(message) = message else { return Ok(()) };
                    heard = true;
                    if message.get_channel_name() != probe {
                        take(&message, on_message);
                    }
                }
                _ = check.tick() => {
                    if !heard {
                        return Ok(());
                    }
                    heard = false;
                    self.publish(&probe, "1").await?;
                }
            }
        }
    }

    async fn publish(&self, channel: &str, text: &str) -> Result<u64, Error> {
        let mut cmd = self.redis.publish();
        cmd.arg(channel).arg(text);
        self.redis.query(&cmd).await
    }
}

/// Hands on what may be a message; whoever can publish on the channel may have sent anything.
fn take(message: &Msg, on_message: &mut impl FnMut(&str)) {
    let bytes = message.get_payload_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.len() <= Nodes::MOST_BYTES => on_message(text),
        _ => warn!(
            bytes = bytes.len(),
            "what was sent to the servers is no message; ignored"
        ),
    }
}
