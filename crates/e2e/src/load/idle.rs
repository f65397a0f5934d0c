//! What a connection costs that does nothing.

use std::time::Duration;

use serde::Serialize;

use super::{Memory, Watched, crowd::Crowd, dialect::Dialect};

/// How many come and go first: what the first connections bring into memory is not theirs.
const FIRST: usize = 100;
/// How long to listen before memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// A crowd that only listens.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// The gateway's port on this machine.
    pub port: u16,
    /// How many connect.
    pub connections: usize,
}

/// What it costs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct IdleFigures {
    /// How many were connected and, where that is asked for, subscribed.
    pub connections: usize,
    /// How many in a second.
    pub connects_per_second: f64,
    /// The gateway before.
    pub before: Memory,
    /// The gateway with all of them.
    pub after: Memory,
    /// How much more it takes for each.
    pub rss_bytes_per_connection: f64,
}

impl Idle {
    /// Connects all, and looks at the gateway.
    pub fn run(&self, dialect: &dyn Dialect, gateway: &Watched) -> anyhow::Result<IdleFigures> {
        drop(Crowd::gather(self.port, FIRST, dialect)?);
        std::thread::sleep(SETTLE);
        let before = gateway.memory()?;
        let mut crowd = Crowd::gather(self.port, self.connections, dialect)?;
        crowd.listen(SETTLE)?;
        let after = gateway.memory()?;
        let more = after.rss_bytes.saturating_sub(before.rss_bytes);
        Ok(IdleFigures {
            connections: crowd.len(),
            connects_per_second: crowd.connects_per_second(),
            before,
            after,
            rss_bytes_per_connection: more as f64 / crowd.len().max(1) as f64,
        })
    }
}
