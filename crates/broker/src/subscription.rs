//! A connection that hears what is published on channels.
//!
//! On one server that is plain pub/sub. In a Cluster it is sharded: a message stays on the node that has the channel's
//! slot, and reaches only those who ask there. What comes faster than it is taken is bounded: beyond that the
//! subscription ends, and who had it catches up from the logs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _};
use redis::{
    Client, Msg, ProtocolVersion, PushInfo, PushKind, RedisError, Value,
    aio::{MultiplexedConnection, PubSubSink, PubSubStream},
};
use tokio::sync::mpsc;

use crate::{
    Error,
    node::{Node, timed_out},
    reign::Reign,
};

/// How many channels one command subscribes to, or one round trip.
const CHANNELS: usize = 500;
/// How long Redis may take to confirm that.
const CONFIRM: Duration = Duration::from_secs(5);
/// How many messages, and how many bytes of them, may wait to be taken. Redis itself gives a subscriber up that is 32 MB
/// behind.
const WAITING: usize = 16_384;
const WAITING_BYTES: usize = 32 * 1024 * 1024;

/// A connection with subscriptions.
pub(crate) enum Subscription {
    Plain(Plain),
    Sharded(Sharded),
}

/// The connection to the only server, or to the primary.
pub(crate) struct Plain {
    sink: Box<PubSubSink>,
    stream: Box<PubSubStream>,
    /// How long that is the primary, where Sentinels say so: one that was replaced has no more news.
    reign: Option<Reign>,
}

/// The connection to one node of a Cluster.
pub(crate) struct Sharded {
    connection: MultiplexedConnection,
    messages: mpsc::Receiver<PushInfo>,
    state: Arc<State>,
}

/// What the connection's task and its owner both know.
#[derive(Default)]
struct State {
    /// How many bytes wait to be taken.
    bytes: AtomicUsize,
    /// How many channels are being left; a channel that is taken away besides has another node now.
    leaving: AtomicUsize,
    /// Whether something did not come, or will not.
    over: AtomicBool,
}

impl Subscription {
    /// Hears what is published anywhere.
    pub(crate) async fn plain(node: &Node, again: bool) -> Result<Self, Error> {
        let (connection, reign) = node.pubsub(again).await?;
        let (sink, stream) = connection.split();
        Ok(Self::Plain(Plain {
            sink: Box::new(sink),
            stream: Box::new(stream),
            reign,
        }))
    }

    /// Hears what is published on channels whose slots a node has.
    pub(crate) async fn sharded(node: &Node, again: bool) -> Result<Self, Error> {
        let (sender, messages) = mpsc::channel(WAITING);
        let state = Arc::<State>::default();
        let take = Arc::clone(&state);
        let config = node
            .config(Duration::ZERO)
            .set_push_sender(move |push| take.take(push, &sender));
        let connection = node
            .open_with(config, again, |client| {
                let info = client.get_connection_info().clone();
                let settings = info.redis_settings().clone();
                let settings = settings.set_protocol(ProtocolVersion::RESP3);
                Client::open(info.set_redis_settings(settings))
            })
            .await?;
        Ok(Self::Sharded(Sharded {
            connection,
            messages,
            state,
        }))
    }

    /// Subscribes to channels, or ends subscriptions.
    pub(crate) async fn set(&mut self, channels: &[String], on: bool) -> Result<(), Error> {
        for chunk in channels.chunks(CHANNELS) {
            let confirmed = async {
                match self {
                    Self::Plain(plain) if on => plain.sink.subscribe(chunk).await,
                    Self::Plain(plain) => plain.sink.unsubscribe(chunk).await,
                    Self::Sharded(sharded) => sharded.set(chunk, on).await,
                }
            };
            match tokio::time::timeout(CONFIRM, confirmed).await {
                Ok(result) => result.map_err(Error::Connect)?,
                Err(_) => return Err(Error::Connect(timed_out())),
            }
        }
        Ok(())
    }

    /// The next message. None when there will be no more: the connection is lost, or messages were.
    pub(crate) async fn next(&mut self) -> Option<Msg> {
        match self {
            Self::Plain(plain) => plain.next().await,
            Self::Sharded(sharded) => sharded.next().await,
        }
    }

    /// The next message, if one waits.
    pub(crate) fn ready(&mut self) -> Option<Msg> {
        self.next().now_or_never().flatten()
    }
}

impl Plain {
    async fn next(&mut self) -> Option<Msg> {
        let Some(reign) = &self.reign else {
            return self.stream.next().await;
        };
        tokio::select! {
            biased;
            message = self.stream.next() => message,
            () = reign.over() => None,
        }
    }
}

impl Sharded {
    async fn set(&mut self, channels: &[String], on: bool) -> Result<(), RedisError> {
        if !on {
            self.state
                .leaving
                .fetch_add(channels.len(), Ordering::AcqRel);
        }
        // A command for each, since each channel is confirmed, and each command answered once.
        let mut pipeline = redis::pipe();
        for channel in channels {
            pipeline
                .cmd(if on { "SSUBSCRIBE" } else { "SUNSUBSCRIBE" })
                .arg(channel)
                .ignore();
        }
        pipeline.exec_async(&mut self.connection).await
    }

    async fn next(&mut self) -> Option<Msg> {
        loop {
            if self.state.over.load(Ordering::Acquire) {
                return None;
            }
            let push = self.messages.recv().await?;
            self.state.bytes.fetch_sub(size(&push), Ordering::AcqRel);
            if let Some(message) = Msg::from_push_info(push) {
                return Some(message);
            }
        }
    }
}

impl State {
    /// Takes what Redis sends unasked. Must not block.
    fn take(&self, push: PushInfo, sender: &mpsc::Sender<PushInfo>) -> Result<(), ()> {
        let lost = match push.kind {
            PushKind::SMessage => {
                let bytes = size(&push);
                let waiting = self.bytes.fetch_add(bytes, Ordering::AcqRel);
                waiting + bytes > WAITING_BYTES || sender.try_send(push).is_err()
            }
            PushKind::SUnsubscribe => {
                let less = |leaving: usize| leaving.checked_sub(1);
                let asked = self
                    .leaving
                    .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
                if asked.is_ok() {
                    return Ok(());
                }
                true
            }
            PushKind::Disconnection => true,
            _ => return Ok(()),
        };
        if lost {
            self.over.store(true, Ordering::Release);
            // Wakes who waits for a message; where there is no room nobody does.
            let nothing = PushInfo {
                kind: PushKind::Disconnection,
                data: Vec::new(),
            };
            let _ = sender.try_send(nothing);
        }
        if lost { Err(()) } else { Ok(()) }
    }
}

/// How many bytes a message has.
fn size(push: &PushInfo) -> usize {
    push.data
        .iter()
        .map(|value| match value {
            Value::BulkString(bytes) => bytes.len(),
            _ => 0,
        })
        .sum()
}
