//! What is served under which path.
//!
//! Decides whether a client may connect, and hands the socket to a tracked task; what happens on it is the
//! connection's and the protocol's.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use broker::RedisBackend;
use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::{
    Admission, Connection, Hub, Inbound, Metrics, NoPlace, OriginPolicy, Place, PlainSession,
    Timing, page,
    upgrade::{self, Upgrade, Upgraded},
};

/// How many seconds a client that finds no place is asked to wait.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// What it takes to serve a WebSocket.
pub(crate) struct Gateway {
    pub(crate) origins: OriginPolicy,
    pub(crate) admission: Arc<Admission>,
    pub(crate) hub: Arc<Hub>,
    /// Each connection hands in through a clone of its own.
    pub(crate) jobs: RedisBackend,
    pub(crate) timing: Timing,
    pub(crate) max_frame_bytes: usize,
    pub(crate) max_in_flight: u32,
    pub(crate) metrics: Arc<Metrics>,
    /// Where connections are accounted for: the HTTP server forgets them once they are upgraded.
    pub(crate) tracker: TaskTracker,
}

/// The routes of the plain protocol. Others are added by whoever merges them.
pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/", get(page_or_socket))
        .route("/ws", get(socket))
        .with_state(gateway)
}

async fn page_or_socket(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    if upgrade::is_asked_for(request.headers()) {
        gateway.connect(request)
    } else {
        page::response()
    }
}

async fn socket(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    gateway.connect(request)
}

impl Gateway {
    fn connect(self: Arc<Self>, mut request: Request) -> Response {
        if let Err(error) = self.origins.check(request.headers()) {
            debug!(%error, "refused");
            return self.refuse("origin", (StatusCode::FORBIDDEN, format!("{error}\n")));
        }
        let upgrade = match Upgrade::of(&mut request) {
            Ok(upgrade) => upgrade,
            Err(error) => return self.refuse("handshake", error),
        };
        let place = match self.admission.admit() {
            Ok(place) => place,
            Err(error) => {
                let reason = match error {
                    NoPlace::Full => "full",
                    NoPlace::Draining => "draining",
                };
                let headers = [(header::RETRY_AFTER, RETRY_AFTER)];
                let text = format!("{error}\n");
                return self.refuse(reason, (StatusCode::SERVICE_UNAVAILABLE, headers, text));
            }
        };
        let (response, socket) = upgrade.accept();
        let tracker = self.tracker.clone();
        tracker.spawn(async move {
            if let Some(socket) = socket.await {
                self.serve(socket, place);
            }
        });
        response
    }

    /// Starts the connection as a task of its own: the one that waited for the handshake is larger, and ends.
    fn serve(&self, socket: Upgraded, place: Place) {
        let member = self.hub.join();
        let (reader, writer) = socket.stream.into_split();
        let outbox = Arc::clone(member.outbox());
        let metrics = Arc::clone(&self.metrics);
        let session = PlainSession::new(
            self.jobs.clone(),
            Arc::clone(&outbox),
            self.max_in_flight,
            Arc::clone(&metrics),
        );
        let connection = Connection {
            inbound: Inbound::new(reader, socket.part, self.max_frame_bytes),
            writer,
            session,
            outbox,
            timing: self.timing,
            id: member.id(),
            metrics,
            guard: (member, place),
        };
        let run = connection.run();
        self.tracker.spawn(run);
    }

    fn refuse(&self, reason: &'static str, response: impl IntoResponse) -> Response {
        self.metrics.connection_refused(reason);
        let mut response = response.into_response();
        response
            .headers_mut()
            .entry(header::CONNECTION)
            .or_insert(HeaderValue::from_static("close"));
        response
    }
}
