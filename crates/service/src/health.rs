//! What a process tells those who watch over it: alive, ready, measured.
//!
//! Three routes that answer from memory. They never ask Redis: a probe must not add load to what is in trouble,
//! nor fail a process that is only waiting.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::connection;
use crate::exposition;
use crate::readiness::Readiness;

/// Probes, scrapers and a few people; more wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 256;
/// How long requests under way may take after the stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
/// The pause after a failed accept, which mostly means that file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// The routes `/livez`, `/readyz` and `/metrics`.
///
/// `/livez` is 200 while the process can answer; `/readyz` is 200 or 503 with the conditions as JSON.
pub fn router(readiness: Readiness, registry: Arc<Registry>) -> Router {
    Router::new()
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(ready).with_state(readiness))
        .route("/metrics", get(metrics).with_state(registry))
}

/// Serves the router until `stop`, then ends requests under way, for three seconds at most.
///
/// The caller chooses the stage: a process that is to be watched while it drains passes the hard token.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    serve_with(listener, router, 0, stop).await;
}

/// The same, with room for more connections, for requests that last long. The router must let no more of these in.
pub async fn serve_with(
    listener: TcpListener,
    router: Router,
    long: usize,
    stop: CancellationToken,
) {
    let places = MAX_CONNECTIONS + long;
    serve_within(listener, router, places, stop, DRAIN_TIMEOUT).await;
}

async fn serve_within(
    listener: TcpListener,
    router: Router,
    places: usize,
    stop: CancellationToken,
    drain: Duration,
) {
    let connections = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(places));
    // Dropping it ends what the drain did not.
    let abandon = CancellationToken::new();
    let _guard = abandon.clone().drop_guard();

    while let Some(accepted) = stop.run_until_cancelled(accept(&listener, &permits)).await {
        match accepted {
            Ok((permit, stream)) => {
                let connection = connection::serve(stream, router.clone(), stop.clone());
                let abandon = abandon.clone();
                connections.spawn(async move {
                    abandon.run_until_cancelled(connection).await;
                    drop(permit);
                });
            }
            Err(error) => {
                warn!(%error, "could not accept a connection");
                stop.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE))
                    .await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(drain, connections.wait())
        .await
        .is_err()
    {
        warn!(
            connections = connections.len(),
            "requests did not end in time; dropping them"
        );
    }
}

/// The place comes before the connection, so that more clients than places wait in the kernel.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> std::io::Result<(tokio::sync::OwnedSemaphorePermit, tokio::net::TcpStream)> {
    let permit = Arc::clone(permits)
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((permit, stream))
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let (ready, checks) = readiness.report();
    let checks: serde_json::Map<_, _> = checks
        .into_iter()
        .map(|(name, met)| (name.to_owned(), met.into()))
        .collect();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        axum::Json(json!({ "ready": ready, "checks": checks })),
    )
        .into_response()
}

async fn metrics(State(registry): State<Arc<Registry>>, asked: HeaderMap) -> Response {
    match exposition::write(&registry, &asked) {
        Ok((kind, text)) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(error) => {
            warn!(%error, "metrics could not be encoded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use prometheus_client::metrics::counter::Counter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tower::ServiceExt;

    use super::*;

    async fn ask(router: &Router, path: &str) -> (StatusCode, String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let kind = response.headers()[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .to_owned();
        let status = response.status();
        let body = to_bytes(response.into_body(), 65_536).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_is_told_with_its_conditions() {
        let readiness = Readiness::new();
        let redis = readiness.check("redis");
        let router = router(readiness.clone(), Arc::default());
        let (status, _, body) = ask(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body, r#"{"checks":{"redis":false},"ready":false}"#);
        redis.set(true);
        assert_eq!(ask(&router, "/readyz").await.0, StatusCode::OK);
        readiness.drain();
        assert_eq!(
            ask(&router, "/readyz").await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(ask(&router, "/livez").await.2, "ok");
    }

    #[tokio::test]
    async fn metrics_are_text() {
        let mut registry = Registry::default();
        let counter: Counter = Counter::default();
        counter.inc();
        registry.register("frames", "Frames received", counter);
        let (status, kind, body) =
            ask(&router(Readiness::new(), Arc::new(registry)), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        assert!(body.ends_with("frames_total 1\n"), "{body}");
    }

    /// A server that a client has already sent something to, which stops when a route says so.
    async fn connect(sent: &str, drain: Duration) -> (TcpStream, impl Future<Output = ()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        client.write_all(sent.as_bytes()).await.unwrap();
        let stop = CancellationToken::new();
        let (in_last, in_endless) = (stop.clone(), stop.clone());
        let last = async move || {
            in_last.cancel();
            tokio::task::yield_now().await;
            "done"
        };
        let endless = async move || {
            in_endless.cancel();
            std::future::pending::<&str>().await
        };
        let router = router(Readiness::new(), Arc::default())
            .route("/last", get(last))
            .route("/endless", get(endless));
        (
            client,
            serve_within(listener, router, MAX_CONNECTIONS, stop, drain),
        )
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_after_the_stop() {
        let request = "GET /last HTTP/1.1\r\nhost: x\r\n\r\n";
        let (mut client, served) = connect(request, DRAIN_TIMEOUT).await;
        served.await;
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn a_request_without_end_does_not_hold_up_the_stop() {
        let request = "GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";
        let (mut client, served) = connect(request, Duration::from_millis(10)).await;
        served.await;
        // The connection is gone: there is nothing left that could answer.
        assert_eq!(client.read(&mut [0; 1]).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn half_a_request_does_not_hold_up_the_stop() {
        let request = "GET /last HTTP/1.1\r\nhost: x\r\n\r\nGET /li";
        let (_client, served) = connect(request, Duration::from_millis(10)).await;
        served.await;
    }
}
