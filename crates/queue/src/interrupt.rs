//! Ctrl-C and SIGTERM, for commands that have something to say when they are told to stop.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use crate::fault::Fault;

/// Waits for Ctrl-C or SIGTERM, which are caught from here on.
pub(crate) fn stopped() -> Result<impl Future<Output = ()>, Fault> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Fault::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Fault::Signals)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
