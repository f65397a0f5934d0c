//! Puts the manager together: its loops, and what it serves to those who watch over it.
//!
//! Never waits for Redis: without it the manager runs, says so, and is not ready.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use axum::Router;
use broker::{DurabilityArgs, Preflight, QueueArgs, Redis};
use service::{
    ExposureArgs, Lifecycle, Readiness, ShutdownArgs, TelemetryArgs, health, lifecycle::Handle,
    listen, telemetry, vitals,
};
use tokio::net::TcpListener;
use tracing::info;

use crate::{
    AdminArgs, Chronicle, Metrics, ScheduleFile, Scheduler, Upkeep,
    admin::{self, Admin},
    dashboard,
};

/// Where the API and health are served unless said otherwise.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3001);

/// How the manager runs.
#[derive(clap::Args, Clone, Debug)]
pub struct ManagerArgs {
    /// Where the dashboard, the admin API under `/api`, and `/livez`, `/readyz` and `/metrics` are served. Default: 127.0.0.1:3001, or a free port if that is taken
    #[arg(long, env = "LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// How long to rest between two rounds of maintenance, in milliseconds
    #[arg(long, env = "MAINTENANCE_INTERVAL_MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub interval_ms: u64,
    /// A file of schedules, JSON or TOML: all that come from it are made to be as it says when the manager starts
    #[arg(long, env = "SCHEDULES_FILE", value_name = "FILE")]
    pub schedules: Option<PathBuf>,
    /// What is kept, and for how long.
    #[command(flatten)]
    pub keep: QueueArgs,
    /// Who may use its API.
    #[command(flatten)]
    pub admin: AdminArgs,
    /// Who may reach it.
    #[command(flatten)]
    pub exposure: ExposureArgs,
    /// How it stops.
    #[command(flatten)]
    pub shutdown: ShutdownArgs,
    /// How it logs.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// A manager, ready to run.
pub struct Manager {
    redis: Redis,
    args: ManagerArgs,
    listener: TcpListener,
    file: Option<ScheduleFile>,
}

impl Manager {
    /// The whole life of a manager's process.
    pub async fn run(redis: Redis, args: ManagerArgs) -> anyhow::Result<ExitCode> {
        telemetry::init(&args.telemetry, "queue")?;
        let lifecycle = Lifecycle::new(args.shutdown.grace())?;
        Self::build(redis, args).await?.spawn(&lifecycle.handle())?;
        Ok(lifecycle.run().await)
    }

    /// Binds its address. Redis is not needed yet.
    pub async fn build(redis: Redis, mut args: ManagerArgs) -> anyhow::Result<Self> {
        args.admin = args.admin.resolve()?;
        let file = args.schedules.as_deref().map(ScheduleFile::read);
        let file = file.transpose()?;
        let address = args.listen.unwrap_or(LISTEN);
        let open = args.exposure.insecure || args.admin.needs_token();
        let listener = listen::bind_or_free(address, open, args.listen.is_some()).await?;
        Ok(Self {
            redis,
            args,
            listener,
            file,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        self.listener
            .local_addr()
            .context("the listener has no address")
    }

    /// Starts everything on the process' lifecycle.
    pub fn spawn(self, lifecycle: &Handle) -> anyhow::Result<()> {
        info!(
            redis = self.redis.address(),
            prefix = self.redis.prefix(),
            health = %self.address()?,
            dashboard = %format_args!("http://{}/", self.address()?),
            interval_ms = self.args.interval_ms,
            "queue manager starts"
        );
        let readiness = Readiness::new();
        let mut registry = vitals::registry("queue", &readiness);
        self.redis.register(&mut registry);
        let metrics = Metrics::new(&mut registry);
        let check = readiness.check("redis");
        let redis = self.redis.clone();
        let scheduler = Scheduler::new(
            self.redis.clone(),
            self.args.keep.clone(),
            metrics.clone(),
            lifecycle.tracker().clone(),
            lifecycle.hard(),
        )
        .with_file(self.file);
        let upkeep = Upkeep::new(self.redis, self.args.keep.clone(), metrics.clone(), check);
        let soft = lifecycle.soft();
        let loopback = self
            .listener
            .local_addr()?
            .ip()
            .to_canonical()
            .is_loopback();
        let admin = Admin::new(
            redis.clone(),
            self.args.keep.clone(),
            self.args.admin,
            loopback,
            lifecycle.tracker().clone(),
            soft.clone(),
        );
        let router = Router::new()
            .merge(health::router(readiness.clone(), Arc::new(registry)))
            .merge(admin::router(Arc::new(admin)))
            .merge(dashboard::router());
        let chronicle = Chronicle::new(redis.clone(), metrics);
        let until = soft.clone();
        lifecycle.spawn("preflight", async move {
            // A manager promises nothing, so there is nothing that could fail.
            let report = Preflight::report(&redis, DurabilityArgs::default());
            until.run_until_cancelled(report).await;
        });
        let interval = Duration::from_millis(self.args.interval_ms);
        let serving = health::serve_with(self.listener, router, admin::LASTING, soft.clone());
        lifecycle.spawn("http", serving);
        lifecycle.spawn("chronicle", chronicle.run(soft.clone()));
        lifecycle.spawn("schedules", scheduler.run(soft.clone()));
        lifecycle.spawn("upkeep", async move {
            upkeep.run(interval, soft).await;
            readiness.drain();
        });
        Ok(())
    }
}
