//! Asks Sentinels where the primary is. They are asked anew for each connection, so that one that is made after a
//! failover leads to the new primary; nothing is told to a server that is none.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, RedisError, aio::MultiplexedConnection,
};

use crate::{Error, address};

/// How long one Sentinel may take to be connected to, and to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The Sentinels of one primary.
pub(crate) struct Sentinels {
    clients: Vec<Client>,
    primary: String,
    /// How the primary is spoken to; where it is, is what they say.
    settings: ConnectionInfo,
    /// Which of them answered last.
    latest: AtomicUsize,
}

impl Sentinels {
    pub(crate) const fn new(
        clients: Vec<Client>,
        primary: String,
        settings: ConnectionInfo,
    ) -> Self {
        Self {
            clients,
            primary,
            settings,
            latest: AtomicUsize::new(0),
        }
    }

    /// Who is asked for what, for people.
    pub(crate) fn address(&self) -> String {
        let first = address::first(self.clients.iter().map(Client::get_connection_info));
        format!("{first}, which know {}", self.primary)
    }

    /// Where the primary is, as the first one says who knows.
    pub(crate) async fn primary(&self) -> Result<Client, Error> {
        let first = self.latest.load(Ordering::Relaxed);
        let mut failure = None;
        for n in 0..self.clients.len() {
            let n = (first + n) % self.clients.len();
            match ask(&self.clients[n], &self.primary).await {
                Ok(Some((host, port))) => {
                    self.latest.store(n, Ordering::Relaxed);
                    let info = address::at(&self.settings, host, port);
                    return Client::open(info).map_err(Error::Connect);
                }
                Ok(None) => {
                    failure.get_or_insert_with(|| unknown(&self.primary));
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        let failure = failure.unwrap_or_else(|| unknown(&self.primary));
        Err(Error::Connect(failure))
    }

    /// Fails where a connection leads to a server that is not the primary yet, or not any more.
    pub(crate) async fn confirm(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), Error> {
        let role: Result<(String,), RedisError> =
            redis::cmd("ROLE").query_async(connection).await.map(first);
        match role {
            Ok((role,)) if role == "master" => Ok(()),
            // Who may not ask finds out at its first write.
            Err(error) if error.code() == Some("NOPERM") => Ok(()),
            Err(error) => Err(Error::Connect(error)),
            Ok((role,)) => Err(Error::Connect(failed(format!(
                "the Sentinels name a server that says it is a {role}"
            )))),
        }
    }
}

/// The first of what a server says of its role.
fn first(answer: Vec<redis::Value>) -> (String,) {
    let word = answer.into_iter().next();
    (word
        .and_then(|word| redis::from_redis_value(word).ok())
        .unwrap_or_default(),)
}

async fn ask(client: &Client, primary: &str) -> Result<Option<(String, u16)>, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let mut cmd = redis::cmd("SENTINEL");
    cmd.arg("GET-MASTER-ADDR-BY-NAME").arg(primary);
    cmd.query_async(&mut connection).await
}

fn unknown(primary: &str) -> RedisError {
    failed(format!("no Sentinel knows a primary named {primary:?}"))
}

fn failed(text: String) -> RedisError {
    std::io::Error::other(text).into()
}
