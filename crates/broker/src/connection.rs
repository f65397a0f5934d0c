//! A connection to Redis that comes back by itself.
//!
//! Unlike the client library's own manager it also gives a connection up when an answer is late: behind a stalled
//! connection every later command would time out as well.

use std::{sync::Arc, time::Duration};

use prometheus_client::registry::Registry;
use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisError,
    aio::{MultiplexedConnection, PubSub},
};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    Error, RedisArgs,
    call::{Call, Link},
    meter::Meter,
};

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A handle on Redis. Clones share one multiplexed connection, which is made when it is first needed and again
/// after it failed. No call retries by itself: who calls knows whether that is safe.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    prefix: String,
    timeout: Duration,
    current: Mutex<Current>,
    meter: Meter,
}

/// The shared connection.
#[derive(Default)]
struct Current {
    /// How many were made.
    number: u64,
    connection: Option<Link>,
    /// When the latest attempt to connect failed.
    failed: Option<Instant>,
}

impl Redis {
    /// Checks the arguments; connects when first used.
    pub fn new(args: &RedisArgs) -> Result<Self, Error> {
        if args.key_prefix.contains(['{', '}']) || args.key_prefix.contains(char::is_whitespace) {
            return Err(Error::Prefix(args.key_prefix.clone()));
        }
        let client = Client::open(args.redis_url.as_str()).map_err(Error::Url)?;
        Ok(Self {
            shared: Arc::new(Shared {
                client,
                prefix: args.key_prefix.clone(),
                timeout: args.timeout(),
                current: Mutex::default(),
                meter: Meter::default(),
            }),
        })
    }

    /// Another handle with a connection of its own, which lives on the runtime that first uses it.
    pub(crate) fn separate(&self) -> Self {
        Self {
            shared: Arc::new(Shared {
                client: self.shared.client.clone(),
                prefix: self.shared.prefix.clone(),
                timeout: self.shared.timeout,
                current: Mutex::default(),
                meter: self.shared.meter.clone(),
            }),
        }
    }

    /// Makes visible what is measured of round trips and connections, those of all clones.
    pub fn register(&self, registry: &mut Registry) {
        self.shared.meter.register(registry);
    }

    /// What every key begins with.
    pub fn prefix(&self) -> &str {
        &self.shared.prefix
    }

    /// Where Redis is, without user and password.
    pub fn address(&self) -> String {
        self.shared.client.get_connection_info().addr().to_string()
    }

    /// Whether Redis answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.query(&redis::cmd("PING")).await
    }

    /// The time of Redis, in milliseconds since the Unix epoch.
    pub(crate) async fn now(&self) -> Result<u64, Error> {
        let (secs, micros): (u64, u64) = self.query(&redis::cmd("TIME")).await?;
        Ok(secs * 1000 + micros / 1000)
    }

    /// What is measured of round trips and connections.
    pub(crate) fn meter(&self) -> &Meter {
        &self.shared.meter
    }

    /// Sends one command.
    pub(crate) async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, Error> {
        let (number, mut link) = self.get().await?;
        let sent = Instant::now();
        let result = cmd.query_async(link.connection()).await;
        self.judge(number, sent, result).await
    }

    /// Sends several commands in one round trip.
    pub(crate) async fn pipe<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, Error> {
        let (number, mut link) = self.get().await?;
        let sent = Instant::now();
        let result = pipeline.query_async(link.connection()).await;
        self.judge(number, sent, result).await
    }

    /// Sends one command whose answer may take `wait` longer than usual, on a connection of one's own.
    pub(crate) async fn query_on<T: FromRedisValue>(
        connection: &mut MultiplexedConnection,
        cmd: &Cmd,
    ) -> Result<T, Error> {
        cmd.query_async(connection).await.map_err(Error::Command)
    }

    /// Runs a script.
    pub(crate) async fn script<T: FromRedisValue>(&self, call: &Call<'_>) -> Result<T, Error> {
        let (number, mut link) = self.get().await?;
        let sent = Instant::now();
        let result = link.script(call).await;
        self.judge(number, sent, result).await
    }

    /// A connection of one's own, for a command that blocks. An answer may take `wait` longer than usual. `again` if it is
    /// one in place of another.
    pub(crate) async fn dedicated(
        &self,
        wait: Duration,
        again: bool,
    ) -> Result<MultiplexedConnection, Error> {
        self.connect(self.shared.timeout + wait, again).await
    }

    /// A connection of one's own, for subscriptions.
    pub(crate) async fn pubsub(&self, again: bool) -> Result<PubSub, Error> {
        let connecting = self.shared.client.get_async_pubsub();
        let result = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(result) => result.map_err(Error::Connect),
            Err(_) => Err(Error::Connect(timed_out())),
        };
        self.shared.meter.connected(result.is_ok(), again);
        result
    }

    async fn connect(
        &self,
        timeout: Duration,
        again: bool,
    ) -> Result<MultiplexedConnection, Error> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(timeout));
        let client = &self.shared.client;
        let result = client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        self.shared.meter.connected(result.is_ok(), again);
        result.map_err(Error::Connect)
    }

    async fn get(&self) -> Result<(u64, Link), Error> {
        let asked = Instant::now();
        let mut current = self.shared.current.lock().await;
        if let Some(connection) = &current.connection {
            return Ok((current.number, connection.clone()));
        }
        // Those who waited while an attempt failed share its failure, or each would wait for one of its own.
        if current.failed.is_some_and(|failed| failed > asked) {
            return Err(Error::Connect(timed_out()));
        }
        let again = current.number > 0 || current.failed.is_some();
        match self.connect(self.shared.timeout, again).await {
            Ok(connection) => {
                let link = Link::new(connection);
                current.number += 1;
                current.connection = Some(link.clone());
                Ok((current.number, link))
            }
            Err(error) => {
                current.failed = Some(Instant::now());
                Err(error)
            }
        }
    }

    /// Drops the connection on which a call failed, unless another took its place meanwhile.
    async fn judge<T>(
        &self,
        number: u64,
        sent: Instant,
        result: Result<T, RedisError>,
    ) -> Result<T, Error> {
        let is_over = result.as_ref().is_err_and(|error| {
            error.is_io_error()
                || error.is_timeout()
                || error.is_connection_dropped()
                || error.is_unrecoverable_error()
                // A primary that became a replica: the next connection may reach the new primary.
                || error.code() == Some("READONLY")
        });
        self.shared.meter.round_trip(sent.elapsed(), !is_over);
        if is_over {
            let mut current = self.shared.current.lock().await;
            if current.number == number {
                current.connection = None;
            }
        }
        result.map_err(Error::Command)
    }
}

/// The error of an answer that did not come.
pub(crate) fn timed_out() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}
