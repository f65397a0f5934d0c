//! The gateway put together: what depends on what, and what runs.
//!
//! Building binds and starts nothing. It needs no Redis: a server without Redis waits, and says that it does.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use broker::{Preflight, Producer, ProducerConfig, Redis, RedisBackend};
use prometheus_client::registry::Registry;
use service::{Handle, Readiness, health, listen};
use tokio::net::TcpListener;
use tracing::{error, info, warn};

use crate::{
    Admission, Hub, Metrics, OriginPolicy, ServerArgs,
    drain::Drain,
    plain, probe,
    relay::Relay,
    routes::{self, Gateway},
};

/// A gateway that is bound and not yet running.
pub struct App {
    args: ServerArgs,
    listener: TcpListener,
    address: SocketAddr,
    redis: Redis,
}

impl App {
    /// Checks the settings and binds the address.
    pub async fn build(args: ServerArgs) -> anyhow::Result<Self> {
        args.validate()?;
        let redis = Redis::new(&args.redis)?;
        let (address, explicit) = args.address();
        let listener = listen::bind_or_free(address, args.exposure.insecure, explicit).await?;
        let address = listener
            .local_addr()
            .context("a bound socket has no address")?;
        info!(%address, redis = redis.address(), "listening");
        if args.exposure.insecure && args.allowed_origins.is_empty() {
            warn!(
                "--insecure without --allowed-origins: pages under any name of this host may connect"
            );
        }
        Ok(Self {
            args,
            listener,
            address,
            redis,
        })
    }

    /// The address that it listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts everything, as tasks of the process.
    pub fn spawn(self, life: &Handle) {
        let Self {
            args,
            listener,
            address,
            redis,
        } = self;
        // Serving ends after the last connection: until then it says that it is not ready.
        let stop = life.hard().child_token();
        let metrics = Arc::<Metrics>::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let readiness = Readiness::new();
        let hub = Arc::new(Hub::new(args.outbox(), Arc::clone(&metrics)));
        let admission = Arc::new(Admission::new(
            args.max_connections as usize,
            Arc::clone(&metrics),
        ));

        let relay = Relay {
            redis: redis.clone(),
            hub: Arc::clone(&hub),
            subscribed: readiness.check("subscribed"),
            metrics: Arc::clone(&metrics),
        };
        life.spawn("relay", relay.run(stop.clone()));
        let check = readiness.check("redis");
        life.spawn(
            "redis probe",
            probe::watch(redis.clone(), check, stop.clone()),
        );
        let drain = Drain {
            readiness: readiness.clone(),
            admission: Arc::clone(&admission),
            hub: Arc::clone(&hub),
            delay: Duration::from_millis(args.drain_delay_ms),
            window: Duration::from_millis(args.drain_window_ms),
        };
        life.spawn("drain", drain.run(life.soft(), life.hard(), stop.clone()));

        let (handle, preflight, durability) = (life.clone(), redis.clone(), args.durability);
        life.spawn("preflight", async move {
            let report = Preflight::report(&preflight, durability);
            let soft = handle.soft();
            if let Some(Err(error)) = soft.run_until_cancelled(report).await {
                error!("{error}");
                handle.fail();
            }
        });
        let config = ProducerConfig {
            durability: args.durability.durability,
            replicas: args.durability.replicas,
            accept_timeout: Duration::from_millis(args.accept_timeout_ms),
            hard: life.hard(),
            ..ProducerConfig::default()
        };
        let queue = args.queue.clone();
        let producer = Producer::spawn(
            redis.clone(),
            plain::queue(),
            queue.clone(),
            config,
            life.tracker(),
        );
        // The producer ends with its last clone, and the last clone with the routes and the connections.
        let gateway = Gateway {
            origins: OriginPolicy::new(
                &args.allowed_origins,
                address.ip().to_canonical().is_loopback(),
            ),
            admission,
            hub,
            jobs: RedisBackend::new(redis, queue, producer),
            timing: args.timing(),
            max_frame_bytes: args.max_frame_bytes,
            max_in_flight: args.max_in_flight,
            metrics,
            tracker: life.tracker().clone(),
        };
        let router =
            routes::router(Arc::new(gateway)).merge(health::router(readiness, Arc::new(registry)));
        life.spawn("listener", health::serve(listener, router, stop));
    }
}
