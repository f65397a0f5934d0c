//! Keeps what each queue had done at the beginning of each minute, for charts and for what happened since some time.
//!
//! Any number of managers do it at once: the first that comes in a minute writes it. No job pays for it.

use std::time::Duration;

use broker::{Backoff, Error, Inspector, MINUTE_MS, Redis};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::Metrics;

/// The loop that keeps minutes.
pub struct Chronicle {
    inspector: Inspector,
    metrics: Metrics,
    backoff: Backoff,
}

impl Chronicle {
    /// Of all queues under the connection's prefix.
    pub fn new(redis: Redis, metrics: Metrics) -> Self {
        Self {
            inspector: Inspector::new(redis),
            metrics,
            backoff: Backoff::default(),
        }
    }

    /// Keeps minutes until `soft` is cancelled.
    pub async fn run(mut self, soft: CancellationToken) {
        let minutes = async {
            loop {
                let rest = match self.run_once().await {
                    Ok(rest) => {
                        self.backoff.reset();
                        rest
                    }
                    // The upkeep says that Redis is away.
                    Err(error) => {
                        debug!(%error, "a minute is not kept");
                        self.backoff.pause()
                    }
                };
                tokio::time::sleep(rest).await;
            }
        };
        soft.run_until_cancelled(minutes).await;
    }

    /// Keeps the minute that has begun, of each queue, and says in how long the next begins by Redis' clock.
    pub async fn run_once(&self) -> Result<Duration, Error> {
        for queue in self.inspector.queues().await? {
            self.inspector.keep_minute(&queue).await?;
        }
        self.metrics.minute_kept();
        let now = self.inspector.now().await?;
        // A little later, so that no clock's rounding makes it the minute before.
        Ok(Duration::from_millis(MINUTE_MS - now % MINUTE_MS + 5))
    }
}
