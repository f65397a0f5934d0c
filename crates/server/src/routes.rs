//! What is served under which path.
//!
//! Decides whether a client may connect, and hands the socket to a tracked task; what happens on it is the
//! connection's and the protocol's.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::{ConnectInfo, Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use broker::{Feed, RedisBackend};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::{
    Admission, Connection, Hub, Inbound, Membership, Metrics, NoPlace, OriginPolicy, Outbox,
    PlainSession, Room, Session, Timing,
    auth::{self, Access, Denied},
    channels::Channels,
    client::{ClientSession, Seat, Shared, Users},
    page,
    plain::Terms,
    traced::Traced,
    upgrade::{self, Subprotocol, Upgrade, Upgraded},
};

/// How many seconds a client that finds no place is asked to wait.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
/// The room of those who name none.
const LOBBY: &str = protocol::LOBBY_TOPIC;

/// What it takes to serve a WebSocket.
pub(crate) struct Gateway {
    pub(crate) origins: OriginPolicy,
    pub(crate) admission: Arc<Admission>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) access: Arc<Access>,
    pub(crate) channels: Arc<Channels>,
    /// Each plain connection hands in through a clone of its own.
    pub(crate) plain: Arc<RedisBackend>,
    pub(crate) sessions: Arc<Shared>,
    /// How many connections came from each address.
    pub(crate) addresses: Arc<Users>,
    pub(crate) max_per_address: usize,
    /// How long a session may take to answer a ping.
    pub(crate) pong_timeout: Duration,
    pub(crate) timing: Timing,
    pub(crate) max_frame_bytes: usize,
    pub(crate) max_in_flight: u32,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) traced: Arc<Traced>,
    /// Where connections are accounted for: the HTTP server forgets them once they are upgraded.
    pub(crate) tracker: TaskTracker,
}

/// The routes of the WebSocket protocols. Others are added by whoever merges them.
pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/", get(page_or_socket))
        .route("/ws", get(lobby))
        .route("/rooms/{room}", get(room))
        .route("/connection/websocket", get(session))
        .with_state(gateway)
}

async fn page_or_socket(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    if upgrade::is_asked_for(request.headers()) {
        gateway.plain(LOBBY, request).await
    } else {
        page::response()
    }
}

async fn lobby(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    gateway.plain(LOBBY, request).await
}

async fn room(
    State(gateway): State<Arc<Gateway>>,
    Path(room): Path<String>,
    request: Request,
) -> Response {
    gateway.plain(&room, request).await
}

async fn session(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    gateway.session(request)
}

/// A client that may connect, and the places that it takes.
struct Admitted {
    upgrade: Upgrade,
    guard: Guard,
}

/// What is given back when a connection has ended.
struct Guard {
    _place: crate::Place,
    _seat: Option<Seat>,
}

impl Gateway {
    /// A connection of the plain protocol: who it is, is asked before the upgrade.
    async fn plain(self: Arc<Self>, room: &str, request: Request) -> Response {
        let token = auth::query_token(request.uri()).map(std::borrow::Cow::into_owned);
        let header = auth::bearer(request.headers()).map(str::to_owned);
        let admitted = match self.admit(request) {
            Ok(admitted) => admitted,
            Err(response) => return *response,
        };
        let who = match self.access.admit(header.or(token).as_deref()).await {
            Ok(who) => who,
            Err(error) => return self.deny(error),
        };
        let queue = crate::plain::queue();
        let topic = who.plain_topic(room);
        let Some(topic) = topic.filter(|_| who.may_use_queue(&queue) && who.may_use_kind(&chat()))
        else {
            let why = "this room is not for you, or can't be: letters, digits, `_`, `-` and `.` name one\n";
            return self.refuse("room", (StatusCode::FORBIDDEN, why));
        };
        let Ok(seat) = self.sessions.seat(&who) else {
            let headers = [(header::RETRY_AFTER, RETRY_AFTER)];
            let why = "too many connections of this user\n";
            return self.refuse("user", (StatusCode::TOO_MANY_REQUESTS, headers, why));
        };
        let room = Room {
            topic,
            tenant: who.tenant.clone(),
            terms: Terms {
                expires: who.expires_at.map(until),
                per_second: who.scope.limits.max_submits_per_second,
                most_bytes: who.scope.limits.max_payload_bytes,
            },
        };
        let timing = self.timing;
        self.accept(
            admitted,
            Subprotocol::None,
            timing,
            move |gateway, member| {
                let channel = room.channel();
                let feed = Feed::topic(gateway.sessions.redis.prefix(), &channel);
                let outbox = member.outbox();
                let name = channel.to_string();
                let subscription = gateway.channels.join(&feed, &name, member.id(), outbox);
                let session = PlainSession::new(
                    room,
                    subscription,
                    Arc::clone(&gateway.plain),
                    Arc::clone(outbox),
                    gateway.max_in_flight,
                    (Arc::clone(&gateway.metrics), Arc::clone(&gateway.traced)),
                );
                (session, seat)
            },
        )
    }

    /// A session: who it is, its first command says.
    fn session(self: Arc<Self>, request: Request) -> Response {
        let asked = Subprotocol::asked_for(&request);
        let admitted = match self.admit(request) {
            Ok(admitted) => admitted,
            Err(response) => return *response,
        };
        let timing = Timing {
            idle_timeout: self.timing.ping_interval + self.pong_timeout,
            ..self.timing
        };
        self.accept(admitted, asked, timing, move |gateway, member| {
            let (shared, outbox) = (Arc::clone(&gateway.sessions), Arc::clone(member.outbox()));
            if matches!(asked, Subprotocol::Protobuf | Subprotocol::ProtobufInQuery) {
                // Selected and closed at once: a failed handshake would be tried for ever.
                outbox.kick(protocol::centrifugo::Disconnect::InappropriateProtocol);
            }
            (ClientSession::new(shared, outbox, member.id()), ())
        })
    }

    /// Whether there may be one more connection, whoever it is.
    fn admit(&self, mut request: Request) -> Result<Admitted, Box<Response>> {
        if let Err(error) = self.origins.check(request.headers()) {
            debug!(%error, "refused");
            let why = format!("{error}\n");
            return Err(Box::new(
                self.refuse("origin", (StatusCode::FORBIDDEN, why)),
            ));
        }
        let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let address = address.map(|ConnectInfo(address)| address.ip().to_canonical());
        let upgrade =
            Upgrade::of(&mut request).map_err(|error| Box::new(self.refuse("handshake", error)))?;
        let seat = match address.filter(|_| self.max_per_address < usize::MAX) {
            None => None,
            Some(address) => {
                let seat = self
                    .addresses
                    .enter(&address.to_string(), self.max_per_address);
                Some(seat.ok_or_else(|| {
                    let headers = [(header::RETRY_AFTER, RETRY_AFTER)];
                    let why = "too many connections from your address\n";
                    Box::new(self.refuse("address", (StatusCode::TOO_MANY_REQUESTS, headers, why)))
                })?)
            }
        };
        let place = self.admission.admit().map_err(|error| {
            let reason = match error {
                NoPlace::Full => "full",
                NoPlace::Draining => "draining",
            };
            let headers = [(header::RETRY_AFTER, RETRY_AFTER)];
            let why = format!("{error}\n");
            Box::new(self.refuse(reason, (StatusCode::SERVICE_UNAVAILABLE, headers, why)))
        })?;
        let guard = Guard {
            _place: place,
            _seat: seat,
        };
        Ok(Admitted { upgrade, guard })
    }

    /// Upgrades, and serves the connection with the session that `open` makes for it, and what else it gives back.
    fn accept<S, G>(
        self: &Arc<Self>,
        admitted: Admitted,
        subprotocol: Subprotocol,
        timing: Timing,
        open: impl FnOnce(&Self, &Membership) -> (S, G) + Send + 'static,
    ) -> Response
    where
        S: Session + 'static,
        G: Send + 'static,
    {
        let Admitted { upgrade, guard } = admitted;
        let (response, socket) = upgrade.accept(subprotocol);
        let gateway = Arc::clone(self);
        self.tracker.spawn(async move {
            if let Some(socket) = socket.await {
                gateway.serve(socket, guard, timing, open);
            }
        });
        response
    }

    /// Starts the connection as a task of its own: the one that waited for the handshake is larger, and ends.
    fn serve<S, G>(
        &self,
        socket: Upgraded,
        guard: Guard,
        timing: Timing,
        open: impl FnOnce(&Self, &Membership) -> (S, G),
    ) where
        S: Session + 'static,
        G: Send + 'static,
    {
        let member = self.hub.join();
        let (reader, writer) = socket.stream.into_split();
        let outbox: Arc<Outbox> = Arc::clone(member.outbox());
        outbox.open(writer);
        let (session, more) = open(self, &member);
        let connection = Connection {
            inbound: Inbound::new(reader, &socket.part, self.max_frame_bytes),
            session,
            outbox,
            timing,
            id: member.id(),
            metrics: Arc::clone(&self.metrics),
            guard: (more, member, guard),
        };
        let run = connection.run();
        self.tracker.spawn(run);
    }

    fn deny(&self, why: Denied) -> Response {
        let text = format!("{why}\n");
        if why == Denied::Unavailable {
            let headers = [(header::RETRY_AFTER, RETRY_AFTER)];
            return self.refuse("token", (StatusCode::SERVICE_UNAVAILABLE, headers, text));
        }
        let headers = [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
        self.refuse("token", (StatusCode::UNAUTHORIZED, headers, text))
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

/// The moment of a time in seconds since the Unix epoch.
fn until(at: u64) -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let left = at.saturating_sub(now.unwrap_or_default().as_secs());
    // Further away than any connection lasts.
    Instant::now() + Duration::from_secs(left.min(366 * 24 * 3600))
}

fn chat() -> protocol::Kind {
    protocol::Kind::new(protocol::CHAT_KIND).expect("a constant that is a name")
}
