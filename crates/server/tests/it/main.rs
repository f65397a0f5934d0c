//! The gateway as a library, on a real Redis of its own, with real clients.

#![allow(
    clippy::match_wild_err_arm,
    clippy::similar_names,
    clippy::unchecked_time_subtraction,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod api;
mod client;
mod client_frames;
mod client_tokens;
mod denied;
mod denied_http;
mod drain;
mod flow;
mod gateway;
mod http;
mod http_events;
mod http_jobs;
mod http_list;
mod http_stream;
mod leaving;
mod limits;
mod outage;
mod partitions;
mod session;
mod silence;
mod terms;

use std::{future::Future, time::Duration};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again and again until the answer is yes.
async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    broker::testing::until(what, async || ask().await.then_some(())).await;
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {PATIENCE:?}"),
    }
}
