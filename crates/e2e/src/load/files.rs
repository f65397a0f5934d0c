//! How many files this process, and those that it starts, may have open: a connection is one.

use anyhow::ensure;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What is open beside connections.
const OTHERS: u64 = 100;

/// Raises the soft limit to the hard one. Returns how many connections that is enough for.
pub fn most_connections() -> anyhow::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard.saturating_sub(OTHERS))
}

/// Makes sure that so many connections can be had.
pub(crate) fn allow(connections: usize) -> anyhow::Result<()> {
    let most = most_connections()?;
    ensure!(
        connections as u64 <= most,
        "{connections} connections are more than the {most} that the limit of open files lets (`ulimit -Hn`)"
    );
    Ok(())
}
