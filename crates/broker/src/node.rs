//! One Redis server, and the connection to it that all share: made when it is first needed, and again after it failed.
//!
//! Unlike the client library's own manager it also gives a connection up when an answer is late: behind a stalled
//! connection every later command would time out as well. Knows nothing of other nodes.

use std::{sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, RedisError,
    aio::{MultiplexedConnection, PubSub},
};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    Error,
    call::Link,
    meter::Meter,
    reign::Reign,
    sentinel::{Place, Sentinels},
};

/// How long one attempt to connect may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How a server is found each time that a connection is made.
pub(crate) enum Reach {
    /// It is always in the same place.
    Fixed(Box<Client>),
    /// Sentinels say where the primary is.
    Sentinels(Arc<Sentinels>),
}

/// A server.
pub(crate) struct Node {
    reach: Reach,
    /// Whether it is one of a Cluster.
    clustered: bool,
    timeout: Duration,
    meter: Meter,
    current: Mutex<Current>,
}

/// The shared connection.
#[derive(Default)]
struct Current {
    /// How many were made.
    number: u64,
    connection: Option<Link>,
    /// When the latest attempt to connect failed, and of what.
    failed: Option<(Instant, RedisError)>,
}

impl Node {
    /// Connects when first used; answers may take so long.
    pub(crate) fn new(reach: Reach, clustered: bool, timeout: Duration, meter: Meter) -> Self {
        Self {
            reach,
            clustered,
            timeout,
            meter,
            current: Mutex::default(),
        }
    }

    /// The same server, with a connection of its own.
    pub(crate) fn separate(&self) -> Self {
        let reach = match &self.reach {
            Reach::Fixed(client) => Reach::Fixed(client.clone()),
            Reach::Sentinels(sentinels) => Reach::Sentinels(Arc::new(sentinels.separate())),
        };
        Self::new(reach, self.clustered, self.timeout, self.meter.clone())
    }

    /// Where it is, or who knows, without user and password.
    pub(crate) fn address(&self) -> String {
        match &self.reach {
            Reach::Fixed(client) => client.get_connection_info().addr().to_string(),
            Reach::Sentinels(sentinels) => sentinels.address(),
        }
    }

    /// The host by which it is reached.
    pub(crate) fn host(&self) -> String {
        match &self.reach {
            Reach::Fixed(client) => match client.get_connection_info().addr() {
                ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.clone(),
                _ => String::new(),
            },
            Reach::Sentinels(_) => String::new(),
        }
    }

    /// The shared connection and its number.
    pub(crate) async fn get(&self) -> Result<(u64, Link), Error> {
        let asked = Instant::now();
        let mut current = self.current.lock().await;
        if let Some(connection) = &current.connection
            && connection.stands()
        {
            return Ok((current.number, connection.clone()));
        }
        // Those who waited while an attempt failed share its failure, or each would wait for one of its own.
        if let Some((failed, why)) = &current.failed
            && *failed > asked
        {
            return Err(Error::Connect(why.clone()));
        }
        let again = current.number > 0 || current.failed.is_some();
        // On the heap, as all that is seldom done, so that every call has little to carry.
        match Box::pin(self.open(Duration::ZERO, again)).await {
            Ok(link) => {
                current.number += 1;
                current.connection = Some(link.clone());
                Ok((current.number, link))
            }
            Err(error) => {
                let why = match &error {
                    Error::Connect(why) => why.clone(),
                    _ => timed_out(),
                };
                current.failed = Some((Instant::now(), why));
                Err(error)
            }
        }
    }

    /// Whether there is a shared connection now.
    pub(crate) fn is_connected(&self) -> bool {
        let current = self.current.try_lock();
        current.is_ok_and(|current| current.connection.is_some())
    }

    /// Drops the connection on which a call failed, unless another took its place meanwhile. Says whether the call left it
    /// unusable.
    pub(crate) async fn judge(
        &self,
        number: u64,
        sent: Instant,
        error: Option<&RedisError>,
    ) -> bool {
        let is_over = error.is_some_and(|error| {
            error.is_io_error()
                || error.is_timeout()
                || error.is_connection_dropped()
                || error.is_unrecoverable_error()
                // A primary that became a replica: the next connection may reach the new primary.
                || error.code() == Some("READONLY")
        });
        self.meter.round_trip(sent.elapsed(), !is_over);
        if is_over {
            let mut current = self.current.lock().await;
            if current.number == number {
                current.connection = None;
            }
        }
        is_over
    }

    /// A connection of one's own, on which an answer may take `wait` longer than usual. `again` if it is one in place of
    /// another.
    pub(crate) async fn open(&self, wait: Duration, again: bool) -> Result<Link, Error> {
        let (connection, reign) = self.connect(self.config(wait), again, Ok).await?;
        Ok(Link::new(connection, self.clustered, reign))
    }

    /// The same with settings, to a server that is spoken to otherwise.
    pub(crate) async fn open_with(
        &self,
        config: AsyncConnectionConfig,
        again: bool,
        change: impl FnOnce(Client) -> Result<Client, RedisError>,
    ) -> Result<MultiplexedConnection, Error> {
        let (connection, _) = self.connect(config, again, change).await?;
        Ok(connection)
    }

    async fn connect(
        &self,
        config: AsyncConnectionConfig,
        again: bool,
        change: impl FnOnce(Client) -> Result<Client, RedisError>,
    ) -> Result<(MultiplexedConnection, Option<Reign>), Error> {
        let result = async {
            let (client, reign) = self.client().await?;
            let client = change(client).map_err(Error::Connect)?;
            let connecting = async {
                let mut connection = client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await?;
                if let Reach::Sentinels(sentinels) = &self.reach {
                    sentinels.confirm(&mut connection).await?;
                }
                Ok(connection)
            };
            let connection = match &reign {
                Some(reign) => reign.hold(connecting).await,
                None => connecting.await,
            };
            Ok((connection.map_err(Error::Connect)?, reign))
        }
        .await;
        self.meter.connected(result.is_ok(), again);
        result
    }

    /// How connections are made whose answers may take `wait` longer than usual.
    pub(crate) fn config(&self, wait: Duration) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(self.timeout + wait))
    }

    /// A connection of one's own, for subscriptions.
    pub(crate) async fn pubsub(&self, again: bool) -> Result<(PubSub, Option<Reign>), Error> {
        let connecting = async {
            let (client, reign) = self.client().await?;
            let connection = match &reign {
                Some(reign) => reign.hold(client.get_async_pubsub()).await,
                None => client.get_async_pubsub().await,
            };
            Ok((connection.map_err(Error::Connect)?, reign))
        };
        let result = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        let result = result.unwrap_or_else(|_| Err(Error::Connect(timed_out())));
        self.meter.connected(result.is_ok(), again);
        result
    }

    async fn client(&self) -> Result<(Client, Option<Reign>), Error> {
        match &self.reach {
            Reach::Fixed(client) => Ok((Client::clone(client), None)),
            Reach::Sentinels(sentinels) => {
                let asked = Box::pin(sentinels.primary(Instant::now())).await;
                let place: Place = asked.map_err(Error::Connect)?;
                let client = sentinels.client(place.clone())?;
                Ok((client, Some(Reign::new(Arc::clone(sentinels), place))))
            }
        }
    }
}

/// The error of an answer that did not come.
pub(crate) fn timed_out() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}
