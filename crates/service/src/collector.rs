//! Sends spans to the collector, with the HTTP/1 client of the hyper that serves requests here anyway.
//!
//! One connection a batch: batches are seconds apart. Says once that the collector can't be reached, and once that it
//! can again; never what was sent, nor the headers, which may hold a key.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::{Request, Response};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::endpoint::Endpoint;

/// How long one batch may take, from connecting to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long an answer may be: it says at most which spans were refused.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The way to a collector. Clones share what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Collector {
    endpoint: Endpoint,
    runtime: Handle,
    tracker: TaskTracker,
    /// Whether the last batch was taken; true before the first.
    reached: Arc<watch::Sender<bool>>,
}

impl Collector {
    /// Sends on the given runtime: who exports has a thread of its own, without one.
    pub(crate) fn new(endpoint: Endpoint, runtime: Handle) -> Self {
        Self {
            endpoint,
            runtime,
            tracker: TaskTracker::new(),
            reached: Arc::new(watch::Sender::new(true)),
        }
    }

    /// Whether the last batch was taken.
    pub(crate) fn is_reached(&self) -> bool {
        *self.reached.borrow()
    }

    /// Waits until a batch from here on is not taken.
    pub(crate) async fn lost(&self) {
        let mut reached = self.reached.subscribe();
        while reached.changed().await.is_ok() && *reached.borrow_and_update() {}
    }

    fn tell(&self, result: &anyhow::Result<Response<Bytes>>) {
        let Endpoint { host, port, .. } = &self.endpoint;
        let why = match result {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answers {}", response.status())),
            Err(error) => Some(format!("{error:#}")),
        };
        let was_reached = self.reached.send_replace(why.is_none());
        match why {
            Some(why) if was_reached => {
                warn!(host, port, why, "traces can't be delivered now");
            }
            None if !was_reached => info!(host, port, "traces are delivered again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // Asked here, on the exporter's own thread: it may take as long as the resolver likes, and tokio's threads
        // for such work would hold up the end of the process.
        let result = match addresses(&self.endpoint) {
            Ok(addresses) => {
                // Its time limit is made inside the runtime: here there is no clock to ask.
                let exchange = async move {
                    let exchange = exchange(addresses, request);
                    let limited = tokio::time::timeout(PATIENCE, exchange).await;
                    limited.unwrap_or_else(|_| Err(anyhow!("no answer in time")))
                };
                let task = self.tracker.spawn_on(exchange, &self.runtime);
                task.await
                    .unwrap_or_else(|_| Err(anyhow!("the process is ending")))
            }
            Err(error) => Err(error),
        };
        self.tell(&result);
        Ok(result?)
    }
}

fn addresses(endpoint: &Endpoint) -> anyhow::Result<Vec<SocketAddr>> {
    let addresses = (endpoint.host.as_str(), endpoint.port).to_socket_addrs();
    Ok(addresses.context("its name can't be resolved")?.collect())
}

async fn exchange(
    addresses: Vec<SocketAddr>,
    request: Request<Bytes>,
) -> anyhow::Result<Response<Bytes>> {
    let stream = TcpStream::connect(&addresses[..])
        .await
        .context("can't connect")?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = origin_form(request.map(Body::from))?;
    let answer = async move {
        let response = sender.send_request(request).await?;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(Body::new(body), MAX_ANSWER_BYTES).await?;
        anyhow::Ok(Response::from_parts(parts, body))
    };
    let mut answer = std::pin::pin!(answer);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        answer = answer.as_mut() => return answer,
        ended = connection.as_mut() => ended?,
    }
    // The connection may end with the answer's last byte.
    answer.await
}

/// hyper sends what it is given: a server wants the path alone, and the host as a header.
fn origin_form(mut request: Request<Body>) -> anyhow::Result<Request<Body>> {
    let uri = request.uri();
    let authority = uri.authority().context("no host")?;
    let host = HeaderValue::from_str(authority.as_str())?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse()?;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}
