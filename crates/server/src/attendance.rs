//! Keeps the presence of this server's clients alive.
//!
//! What a server does not refresh dies by itself, so that one that was killed leaves nobody behind. Failures are no
//! client's business: the next beat mends them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use broker::{Entrant, Feed, Presence};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// How often presence is refreshed: three times within its time to live.
const BEAT: Duration = Duration::from_secs(20);
/// How long presence lives without that.
pub(crate) const TTL: Duration = Duration::from_secs(60);

/// Who of this server's clients is in which room.
pub(crate) struct Attendance {
    presence: Presence,
    here: Mutex<HashMap<(Feed, String), Box<RawValue>>>,
}

impl Attendance {
    pub(crate) fn new(presence: Presence) -> Self {
        Self {
            presence,
            here: Mutex::default(),
        }
    }

    /// A client is in a room from now on.
    pub(crate) async fn enter(&self, feed: &Feed, client: &str, info: &RawValue) {
        let key = (feed.clone(), client.to_owned());
        self.lock().insert(key, info.to_owned());
        if let Err(error) = self.presence.enter(feed, client, info).await {
            debug!(%error, "presence is told with the next beat");
        }
    }

    /// A client is not in a room any more.
    pub(crate) async fn leave(&self, feed: &Feed, client: &str) {
        self.lock().remove(&(feed.clone(), client.to_owned()));
        if let Err(error) = self.presence.leave(feed, client).await {
            debug!(%error, "presence ends by itself");
        }
    }

    /// Refreshes all of them until `stop`.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let beating = async {
            let mut beat = tokio::time::interval(BEAT);
            beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                beat.tick().await;
                if let Err(error) = self.refresh().await {
                    debug!(%error, "presence could not be refreshed");
                }
            }
        };
        stop.run_until_cancelled(beating).await;
    }

    async fn refresh(&self) -> Result<(), broker::Error> {
        let here: Vec<_> = self.lock().keys().cloned().collect();
        let found = self.presence.refresh(&here).await?;
        // Redis lost them, or was away for longer than they live.
        let lost: Vec<_> = {
            let infos = self.lock();
            let lost = here.into_iter().zip(found).filter(|(_, found)| !found);
            lost.filter_map(|(key, _)| {
                let info = infos.get(&key)?.clone();
                let (feed, client) = key;
                Some(Entrant { feed, client, info })
            })
            .collect()
        };
        if !lost.is_empty() {
            self.presence.enter_all(&lost).await?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Feed, String), Box<RawValue>>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
