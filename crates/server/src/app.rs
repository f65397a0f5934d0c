//! The gateway put together: what depends on what, and what runs.
//!
//! Building binds and starts nothing. It needs no Redis: a server without Redis waits, and says that it does.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use broker::{
    Control, Feed, Feeds, Nodes, Preflight, Presence, Producer, ProducerConfig, Redis,
    RedisBackend, Rooms, RoomsConfig,
};
use service::{Handle, Readiness, health, listen, vitals};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    Admission, Hub, Metrics, OriginPolicy, Room, ServerArgs,
    api::{self, NodesTask},
    attendance::{self, Attendance},
    auth::Access,
    channels::Channels,
    client::{Roster, Shared, Users},
    delivery::Delivery,
    drain::Drain,
    http,
    jobs::Jobs,
    message_span,
    namespaces::Namespaces,
    plain, probe,
    routes::{self, Gateway},
    traced::Traced,
    waiting::Waiting,
};

/// A gateway that is bound and not yet running.
pub struct App {
    args: ServerArgs,
    listener: TcpListener,
    address: SocketAddr,
    redis: Redis,
    access: Arc<Access>,
    namespaces: Arc<Namespaces>,
}

impl App {
    /// Checks the settings, reads the files that they name, and binds the address.
    pub async fn build(args: ServerArgs) -> anyhow::Result<Self> {
        args.validate()?;
        let redis = Redis::new(&args.redis)?;
        let insecure = args.exposure.insecure;
        let access = Arc::new(Access::new(&args.auth, insecure)?);
        let namespaces = Arc::new(namespaces(&args)?);
        let (address, explicit) = args.address();
        let listener = listen::bind_or_free(address, access.may_be_exposed(), explicit).await?;
        let address = listener
            .local_addr()
            .context("a bound socket has no address")?;
        info!(
            %address,
            redis = redis.address(),
            tokens = access.is_configured(),
            "listening"
        );
        if insecure && args.allowed_origins.is_empty() {
            warn!(
                "--insecure without --allowed-origins: pages under any name of this host may connect"
            );
        }
        Ok(Self {
            args,
            listener,
            address,
            redis,
            access,
            namespaces,
        })
    }

    /// The address that it listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts everything, as tasks of the process.
    pub fn spawn(self, life: &Handle) {
        // Serving ends after the last connection: until then it says that it is not ready.
        let stop = life.hard().child_token();
        let metrics = Arc::<Metrics>::default();
        let traced = Arc::<Traced>::default();
        let readiness = Readiness::new();
        let mut registry = vitals::registry("server", &readiness);
        metrics.register(&mut registry);
        self.redis.register(&mut registry);
        let hub = Arc::new(Hub::new(self.args.outbox()));
        registry.register_collector(Box::new(Waiting(Arc::clone(&hub))));
        let admission = Arc::new(Admission::new(
            self.args.max_connections as usize,
            Arc::clone(&metrics),
        ));
        let feeds = Feeds::default();
        let channels = Arc::new(Channels::new(feeds.clone(), Arc::clone(&metrics)));
        let lobby = Room::lobby().channel();
        let feed = Feed::topic(self.redis.prefix(), &lobby);
        channels.keep(&feed, &lobby.to_string());
        let delivery = Delivery {
            channels: Arc::clone(&channels),
            subscribed: readiness.check("subscribed"),
            metrics: Arc::clone(&metrics),
            traced: Arc::clone(&traced),
            tracker: life.tracker().clone(),
        };
        life.spawn(
            "feeds",
            feeds.run(self.redis.clone(), delivery, stop.clone()),
        );
        let check = readiness.check("redis");
        life.spawn(
            "redis probe",
            probe::watch(self.redis.clone(), check, stop.clone()),
        );
        let drain = Drain {
            readiness: readiness.clone(),
            admission: Arc::clone(&admission),
            hub: Arc::clone(&hub),
            delay: Duration::from_millis(self.args.drain_delay_ms),
            window: Duration::from_millis(self.args.drain_window_ms),
        };
        life.spawn("drain", drain.run(life.soft(), life.hard(), stop.clone()));
        self.spawn_preflight(life);

        let (shared, chat) = self.sessions(life, &channels, (&metrics, &traced), stop.clone());
        let Self {
            args,
            listener,
            address,
            redis,
            ..
        } = self;
        let shared = Arc::new(shared);
        let nodes = Nodes::new(redis.clone(), Presence::TTL);
        let task = NodesTask {
            nodes: nodes.clone(),
            shared: Arc::clone(&shared),
            name: address.to_string(),
        };
        life.spawn("nodes", task.run(stop.clone()));
        let backends = api::Api {
            shared: Arc::clone(&shared),
            nodes,
            key: args.client.api_key.clone(),
        };
        let loopback = address.ip().to_canonical().is_loopback();
        let origins = OriginPolicy::new(&args.allowed_origins, loopback);
        let gateway = Gateway {
            origins,
            admission,
            hub,
            access: Arc::clone(&shared.access),
            channels,
            plain: Arc::new(RedisBackend::new(redis, args.queue.clone(), chat)),
            sessions: shared,
            addresses: Arc::default(),
            max_per_address: match args.client.max_connections_per_ip {
                0 => usize::MAX,
                most => most as usize,
            },
            pong_timeout: Duration::from_millis(args.client.pong_timeout_ms),
            timing: args.timing(),
            max_frame_bytes: args.max_frame_bytes,
            max_in_flight: args.max_in_flight,
            metrics,
            traced,
            tracker: life.tracker().clone(),
        };
        let max_streams = args.max_streams as usize;
        let jobs = http::Api::new(&gateway, max_streams);
        let router = routes::router(Arc::new(gateway))
            .merge(api::router(Arc::new(backends)))
            .merge(http::router(Arc::new(jobs)))
            .merge(health::router(readiness, Arc::new(registry)));
        // Requests that last never take a connection from the others.
        let served = health::serve_with(listener, router, max_streams, stop);
        life.spawn("listener", served);
    }

    /// What sessions share, and who hands in the messages of the plain protocol.
    fn sessions(
        &self,
        life: &Handle,
        channels: &Arc<Channels>,
        (metrics, traced): (&Arc<Metrics>, &Arc<Traced>),
        stop: CancellationToken,
    ) -> (Shared, Producer) {
        let (args, redis) = (&self.args, &self.redis);
        let presence = Presence::new(redis.clone(), attendance::TTL);
        let attendance = Arc::new(Attendance::new(presence.clone()));
        let beating = Arc::clone(&attendance);
        life.spawn("presence", async move { beating.run(stop).await });
        // The producers end with their last clones, and the last clones with the routes and the connections.
        let producer = |queue| {
            let config = producer_config(args, life);
            let keep = args.queue.clone();
            Producer::spawn(redis.clone(), queue, keep, config, life.tracker())
        };
        let chat = producer(plain::queue());
        let others = self.namespaces.queues().map(|queue| {
            if *queue == plain::queue() {
                chat.clone()
            } else {
                producer(queue.clone())
            }
        });
        let jobs = Jobs::new(
            redis.clone(),
            others,
            Control::new(redis.clone(), args.queue.clone()),
            Arc::clone(metrics),
            Arc::clone(traced),
        );
        let rooms = RoomsConfig {
            accept_timeout: Duration::from_millis(args.accept_timeout_ms),
            hard: life.hard(),
            ..RoomsConfig::default()
        };
        let ping = args.timing().ping_interval;
        let shared = Shared {
            redis: redis.clone(),
            access: Arc::clone(&self.access),
            namespaces: Arc::clone(&self.namespaces),
            channels: Arc::clone(channels),
            jobs: Arc::new(jobs),
            rooms: Rooms::spawn(redis.clone(), rooms, life.tracker()),
            presence,
            attendance,
            users: Arc::<Users>::default(),
            roster: Arc::<Roster>::default(),
            limits: args.client.limits(args.max_in_flight, ping),
            page_bytes: (args.outbox_bytes / 4).min(256 * 1024),
            metrics: Arc::clone(metrics),
            tracker: life.tracker().clone(),
            stopping: life.soft(),
        };
        (shared, chat)
    }

    fn spawn_preflight(&self, life: &Handle) {
        let (handle, redis, durability) = (life.clone(), self.redis.clone(), self.args.durability);
        life.spawn("preflight", async move {
            let report = Preflight::report(&redis, durability);
            let soft = handle.soft();
            if let Some(Err(error)) = soft.run_until_cancelled(report).await {
                error!("{error}");
                handle.fail();
            }
        });
    }
}

fn namespaces(args: &ServerArgs) -> anyhow::Result<Namespaces> {
    let file = args.client.namespaces_file.as_ref();
    let text = file
        .map(|path| {
            std::fs::read_to_string(path)
                .with_context(|| format!("--namespaces-file: can't read {}", path.display()))
        })
        .transpose()?;
    let queues = args.client.queues.iter().cloned();
    let prefix = &args.redis.key_prefix;
    Ok(Namespaces::new(prefix, queues, text.as_deref())?)
}

fn producer_config(args: &ServerArgs, life: &Handle) -> ProducerConfig {
    ProducerConfig {
        durability: args.durability.durability,
        replicas: args.durability.replicas,
        accept_timeout: Duration::from_millis(args.accept_timeout_ms),
        hard: life.hard(),
        spans: message_span::spans(),
        ..ProducerConfig::default()
    }
}
