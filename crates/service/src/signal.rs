//! The signals that ask a process to stop, caught from the moment this is made.
//!
//! Never decides what a signal means: that is the lifecycle's.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Where requests to stop come from; a trait so that tests need no real signals.
pub(crate) trait StopRequests: Send {
    /// Waits for the next request and names it. Dropping the future loses nothing.
    fn next(&mut self) -> impl Future<Output = &'static str> + Send;
}

/// SIGINT and SIGTERM of this process.
#[derive(Debug)]
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Installs the handlers, inside a tokio runtime.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }
}

impl StopRequests for StopSignals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            Some(()) = self.interrupt.recv() => "SIGINT",
            Some(()) = self.terminate.recv() => "SIGTERM",
            else => std::future::pending().await,
        }
    }
}
