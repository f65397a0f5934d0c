//! Puts a worker together: the apalis worker over the queue's backend, and the health endpoints.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use apalis::{
    layers::{WorkerBuilderExt as _, catch_panic::CatchPanicLayer},
    prelude::{Monitor, WorkerBuilder},
};
use apalis_core::worker::ext::parallelize::ParallelizeExt as _;
use broker::{
    ConsumerConfig, DurabilityArgs, Preflight, Producer, ProducerConfig, Pulse, Redis,
    RedisBackend, Spans, WorkerCard,
};
use service::{Readiness, health, lifecycle::Handle, listen, traces, vitals};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{
    Dispatch, Registry, WorkerArgs,
    abort::AbortOnDrop,
    metrics::MetricsLayer,
    panic::{self, on_panic},
    trace::{adopt, waited},
};

/// Where health is served unless said otherwise.
const HEALTH: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3002);

/// A worker, ready to run.
pub struct App {
    args: WorkerArgs,
    name: String,
    registry: Dispatch,
    redis: Redis,
    listener: TcpListener,
}

impl App {
    /// Checks the settings and binds the health endpoints. Redis is not needed yet.
    pub async fn build<S>(args: WorkerArgs, registry: Registry<S>) -> anyhow::Result<Self>
    where
        S: Clone + Send + Sync + 'static,
    {
        args.validate()?;
        panic::watch();
        let redis = Redis::new(&args.redis)?;
        let address = args.health_listen.unwrap_or(HEALTH);
        let explicit = args.health_listen.is_some();
        let listener = listen::bind_or_free(address, args.exposure.insecure, explicit).await?;
        let name = args.unique_name();
        Ok(Self {
            args,
            name,
            registry: registry.into_service(),
            redis,
            listener,
        })
    }

    /// Where the health endpoints are.
    pub fn health_address(&self) -> anyhow::Result<SocketAddr> {
        self.listener
            .local_addr()
            .context("the health listener has no address")
    }

    /// Starts everything on the process' lifecycle.
    pub fn spawn(self, lifecycle: &Handle) -> anyhow::Result<()> {
        info!(
            worker = self.name,
            queue = %self.args.queue,
            kinds = ?self.registry.kinds(),
            concurrency = self.args.concurrency,
            redis = self.redis.address(),
            health = %self.health_address()?,
            "worker starts"
        );
        let readiness = Readiness::new();
        let mut metrics = vitals::registry("worker", &readiness);
        self.redis.register(&mut metrics);
        let (ready, mut is_ready) = watch::channel(false);
        let check = readiness.check("claims");
        let soft = lifecycle.soft();
        let pulse = Pulse::default();
        lifecycle.spawn("readiness", {
            let (readiness, soft, pulse) = (readiness.clone(), soft.clone(), pulse.clone());
            async move {
                loop {
                    // Ready is who Redis answers and whose claim loop turns.
                    check.set(*is_ready.borrow_and_update() && pulse.beats());
                    tokio::select! {
                        changed = is_ready.changed() => if changed.is_err() { return },
                        () = tokio::time::sleep(Duration::from_secs(1)) => {}
                        () = soft.cancelled() => break,
                    }
                }
                readiness.drain();
            }
        });
        let (redis, soft) = (self.redis.clone(), lifecycle.soft());
        lifecycle.spawn("preflight", async move {
            // A worker promises nothing, so there is nothing that could fail.
            let report = Preflight::report(&redis, DurabilityArgs::default());
            soft.run_until_cancelled(report).await;
        });
        // Health is served until the last job is settled.
        let over = CancellationToken::new();
        self.spawn_monitor(
            lifecycle,
            (ready, pulse),
            MetricsLayer::new(&mut metrics, self.registry.kinds()),
            over.clone(),
        );
        let router = health::router(readiness, Arc::new(metrics));
        lifecycle.spawn("health", health::serve(self.listener, router, over));
        Ok(())
    }

    /// What the registry of workers says of this one.
    fn card(&self) -> WorkerCard {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        WorkerCard {
            host: WorkerArgs::host().unwrap_or_default(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            concurrency: self.args.concurrency,
            active: 0,
            started_at: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn spawn_monitor(
        &self,
        lifecycle: &Handle,
        (ready, pulse): (watch::Sender<bool>, Pulse),
        metrics: MetricsLayer,
        over: CancellationToken,
    ) {
        let keep = self.args.keep.clone();
        let producer = Producer::spawn(
            self.redis.clone(),
            self.args.queue.clone(),
            keep.clone(),
            ProducerConfig {
                hard: lifecycle.hard(),
                ..ProducerConfig::default()
            },
            lifecycle.tracker(),
        );
        let backend =
            RedisBackend::new(self.redis.clone(), keep, producer).consuming(ConsumerConfig {
                capacity: (self.args.concurrency + self.args.prefetch) as usize,
                lease: self.args.lease(),
                soft: lifecycle.soft(),
                attempt_timeout: self.args.attempt_timeout(),
                cancel_grace: Duration::from_millis(self.args.cancel_grace_ms),
                kinds: self.registry.kinds().into_iter().cloned().collect(),
                card: self.card(),
                tracker: lifecycle.tracker().clone(),
                ready,
                pulse,
                spans: Spans {
                    all: traces::is_on(),
                    adopt,
                    waited,
                },
                ..ConsumerConfig::new(&self.name, lifecycle.hard())
            });
        let (name, registry) = (self.name.clone(), self.registry.clone());
        let concurrency = self.args.concurrency as usize;
        let tracker = lifecycle.tracker().clone();
        // From the outside in: the backend's own layer acknowledges, then at most so many run, each on a task of
        // its own that ends with its attempt, and a panic ends there.
        let monitor = Monitor::new().register(move |_| {
            let tracker = tracker.clone();
            WorkerBuilder::new(name.as_str())
                .backend(backend.clone())
                .concurrency(concurrency)
                .layer(metrics.clone())
                .parallelize(move |attempt| AbortOnDrop::from(tracker.spawn(attempt)))
                .layer(CatchPanicLayer::<_, broker::JobError>::with_panic_handler(
                    on_panic,
                ))
                .build(registry.clone())
        });
        let handle = lifecycle.clone();
        lifecycle.spawn("worker", async move {
            let _over = over.drop_guard();
            let soft = handle.soft();
            let stop = async {
                soft.cancelled().await;
                Ok(())
            };
            let result = monitor.run_with_signal(stop).await;
            if let Err(error) = &result {
                error!(%error, "the worker ended with an error");
            }
            // A process without its worker must not live on.
            if result.is_err() || !soft.is_cancelled() {
                handle.fail();
            }
        });
    }
}
