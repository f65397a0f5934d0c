//! Whether Redis answers, asked every two seconds for the sake of readiness.
//!
//! Never mends anything: whoever uses Redis reconnects by itself.

use std::time::Duration;

use broker::Redis;
use service::Check;
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_secs(2);

/// Tells `check` whether Redis answers, until `stop`. An outage is logged once, by the check.
pub(crate) async fn watch(redis: Redis, check: Check, stop: CancellationToken) {
    let asking = async {
        loop {
            match redis.ping().await {
                Ok(()) => check.set(true),
                Err(error) => {
                    check.set_with(
                        false,
                        &format!("waiting for Redis at {}: {error}", redis.address()),
                    );
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    stop.run_until_cancelled(asking).await;
}
