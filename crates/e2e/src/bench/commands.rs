//! What a system that has nothing to do asks of Redis all the same.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::{Settings, System};

/// Commands in a second, of all processes together.
pub(super) struct Commands {
    /// Sent by processes: round trips.
    pub(super) sent: f64,
    /// The same, and what scripts do inside of Redis.
    pub(super) with_scripts: f64,
}

/// Counts for so long.
pub(super) async fn count(seconds: u64) -> anyhow::Result<Commands> {
    let system = System::start(Settings::default()).await;
    let mut client = system.client(0).await;
    // A queue that never had a job would be idler than one that is used.
    ensure!(client.send("hello").await, "the connection is over");
    tokio::time::timeout(Duration::from_secs(10), client.received(2))
        .await
        .context("no result came within ten seconds")?;
    let before = calls(&system).await?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = calls(&system).await?;
    let rate = |before: u64, after: u64| (after - before) as f64 / seconds as f64;
    Ok(Commands {
        sent: rate(before.0, after.0),
        with_scripts: rate(before.1, after.1),
    })
}

/// How many commands were sent, and how many were executed, scripts' own included.
async fn calls(system: &System) -> anyhow::Result<(u64, u64)> {
    let stats: String = system.redis.command(&["INFO", "commandstats"]).await;
    let mut calls = (0, 0);
    for line in stats.lines() {
        let Some((name, rest)) = line
            .strip_prefix("cmdstat_")
            .and_then(|line| line.split_once(':'))
        else {
            continue;
        };
        let count: u64 = rest
            .strip_prefix("calls=")
            .and_then(|rest| rest.split(',').next())
            .and_then(|count| count.parse().ok())
            .with_context(|| format!("{line:?} has no count of calls"))?;
        calls.1 += count;
        // Everything else runs inside scripts. `HGETALL` is sent with six others in one round trip.
        calls.0 += match name {
            "evalsha" | "blpop" | "ping" | "smembers" | "sadd" | "subscribe" => count,
            "hgetall" => 7 * count,
            _ => 0,
        };
    }
    Ok(calls)
}
