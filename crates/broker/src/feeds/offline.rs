//! A follower without a connection, which gets the messages that it is given: what each costs here, for benchmarks.

use std::{collections::HashMap, sync::Arc};

use futures_util::FutureExt as _;
use redis::{Msg, PushInfo, PushKind, Value};

use super::{Followed, Follower, Listener, Wanted};
use crate::{Feed, Position, Redis, RedisArgs, TlsArgs};

/// Messages of one feed, as the client library hands them over.
pub struct Messages(Vec<Msg>);

impl Messages {
    /// Messages with these payloads.
    pub fn of(feed: &Feed, payloads: &[String]) -> Self {
        let message = |payload: &String| {
            let texts = [feed.channel(), payload.clone()];
            let data = texts.map(|text| Value::BulkString(text.into())).into();
            let kind = PushKind::Message;
            Msg::from_push_info(PushInfo { kind, data }).expect("it has a channel and a payload")
        };
        Self(payloads.iter().map(message).collect())
    }
}

/// Follows one feed.
pub struct Offline<L> {
    follower: Follower<L>,
    channel: String,
}

impl<L: Listener> Offline<L> {
    /// Follows a feed under this epoch.
    pub fn new(listener: L, feed: Feed, epoch: &str) -> Self {
        let args = RedisArgs {
            redis_url: "redis://127.0.0.1:1/".to_owned(),
            key_prefix: "offline".to_owned(),
            redis_timeout_ms: 100,
            tls: TlsArgs::default(),
        };
        let channel = feed.channel();
        let position = Some(Position {
            epoch: epoch.to_owned(),
            offset: 0,
        });
        let one = Followed { feed, position };
        let follower = Follower {
            redis: Redis::new(&args).expect("the arguments are right"),
            key: String::new(),
            wanted: Arc::<Wanted>::default(),
            listener,
            followed: HashMap::from([(channel.clone(), one)]),
        };
        Self { follower, channel }
    }

    /// Takes messages, as if everything up to this offset had come before. What they hold must come next.
    pub fn receive(&mut self, after: u64, messages: &Messages) {
        let followed = self.follower.followed.get_mut(&self.channel);
        let position = followed.and_then(|followed| followed.position.as_mut());
        position.expect("it is followed").offset = after;
        let received = self.follower.receive(&messages.0).now_or_never();
        let done = matches!(received, Some(Ok(())));
        assert!(done, "there was something to ask Redis for");
    }
}
