//! One HTTP/1 connection, which ends when its client is slow or the process stops.
//!
//! axum's own server has neither a header timeout nor a bounded end, so a client that sends half a request
//! could hold up a shutdown. Never looks into a request.

use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Extension};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// How long a client may take for the head of a request, and stay idle between two.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Lets a handler end the connection that its request came on: nothing else ends a response that nobody reads.
#[derive(Clone, Debug)]
pub struct Hangup(CancellationToken);

impl Hangup {
    /// Ends the connection now.
    pub fn hang_up(&self) {
        self.0.cancel();
    }
}

/// Serves requests until the client is done, too slow, or `stop` is cancelled and the request under way ended.
///
/// Handlers find the client's address as axum's `ConnectInfo`, and a [`Hangup`].
pub(crate) async fn serve(stream: TcpStream, router: Router, stop: CancellationToken) {
    // An event on a stream would wait for the client's acknowledgement of the one before, 40 ms at times.
    let _ = stream.set_nodelay(true);
    let router = match stream.peer_addr() {
        Ok(address) => router.layer(Extension(ConnectInfo(address))),
        Err(_) => router,
    };
    let hangup = CancellationToken::new();
    let router = router.layer(Extension(Hangup(hangup.clone())));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = hangup.cancelled() => return,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection.as_mut() => result,
                () = hangup.cancelled() => return,
            }
        }
    };
    if let Err(error) = result {
        debug!(%error, "connection ended early");
    }
}
