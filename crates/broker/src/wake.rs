//! How an idle worker learns of new work: a blocking pop on a connection of its own. Nothing is polled.

use std::{future::Future, pin::Pin, time::Duration};

use crate::{Backoff, Keys, Redis, call::Link};

/// How long one pop blocks. It also bounds how long a dead connection goes unnoticed.
const BLOCK: Duration = Duration::from_secs(10);

type Popped = (Option<Link>, bool);

/// A pop that is kept across the worker's rounds: it can't be taken back once it is sent.
pub(crate) struct Wake {
    redis: Redis,
    key: String,
    connection: Option<Link>,
    pop: Option<Pin<Box<dyn Future<Output = Popped> + Send>>>,
    backoff: Backoff,
}

impl Wake {
    pub(crate) fn new(redis: Redis, keys: &Keys) -> Self {
        let key = keys.wake();
        Self {
            redis,
            key,
            connection: None,
            pop: None,
            backoff: Backoff::default(),
        }
    }

    /// Waits for a token. Begins to pop only if `begin`; without a pop under way it waits for ever.
    ///
    /// Dropping this future keeps the pop, so that no token is lost.
    pub(crate) async fn woken(&mut self, begin: bool) {
        loop {
            if self.pop.is_none() {
                if !begin {
                    return std::future::pending().await;
                }
                let pause = (self.backoff.tries() > 0).then(|| self.backoff.pause());
                let pop = pop(
                    self.redis.clone(),
                    self.key.clone(),
                    self.connection.take(),
                    pause,
                );
                self.pop = Some(Box::pin(pop));
            }
            if let Some(pop) = &mut self.pop {
                let (connection, token) = pop.await;
                self.pop = None;
                if connection.is_some() {
                    self.backoff.reset();
                } else {
                    // The next pop waits before it connects.
                    self.backoff.pause();
                }
                self.connection = connection;
                if token {
                    return;
                }
            }
        }
    }
}

async fn pop(
    redis: Redis,
    key: String,
    connection: Option<Link>,
    pause: Option<Duration>,
) -> Popped {
    if let Some(pause) = pause {
        tokio::time::sleep(pause).await;
    }
    let mut connection = match connection {
        Some(connection) => connection,
        // Why it failed is said by the rounds, which fail too.
        None => match redis.dedicated(&key, BLOCK, pause.is_some()).await {
            Ok(connection) => connection,
            Err(_) => return (None, false),
        },
    };
    let mut cmd = redis::cmd("BLPOP");
    cmd.arg(key).arg(BLOCK.as_secs());
    match connection.query::<Option<(String, String)>>(&cmd).await {
        Ok(popped) => (Some(connection), popped.is_some()),
        Err(_) => (None, false),
    }
}
