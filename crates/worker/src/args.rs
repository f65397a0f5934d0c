//! The settings of a worker.

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use anyhow::ensure;
use broker::{QueueArgs, RedisArgs};
use clap::Parser;
use protocol::QueueName;
use service::{ExposureArgs, ShutdownArgs, TelemetryArgs};

/// Runs jobs of one queue.
///
/// Stop it with SIGTERM or Ctrl-C: it takes nothing new, finishes what runs, and hands back what it can't finish in
/// the grace, without spending an attempt. A second signal hands back at once.
#[derive(Parser, Clone, Debug)]
#[command(name = "worker", version)]
pub struct WorkerArgs {
    /// The queue to take jobs from
    #[arg(long, env = "QUEUE", default_value = protocol::CHAT_QUEUE)]
    pub queue: QueueName,
    /// What the worker is called in logs and in its jobs; a random suffix makes it unique. Default: the host's name
    #[arg(long, env = "WORKER_NAME")]
    pub name: Option<String>,
    /// How many jobs run at a time
    #[arg(long, env = "CONCURRENCY", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub concurrency: u32,
    /// How many jobs are taken ahead of those that run: more throughput for tiny jobs, less even sharing of long ones
    #[arg(long, env = "PREFETCH", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub prefetch: u32,
    /// On how many threads handlers run. One is the fastest for handlers that wait more than they compute, and Redis is
    /// busy too; what computes for long needs more, or threads of its own
    #[arg(long, env = "THREADS", default_value = "1")]
    pub threads: NonZeroUsize,
    /// How long Redis holds a job for this worker without a sign of life, in milliseconds: a killed worker's jobs run
    /// again after this
    #[arg(long, env = "LEASE_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(500..=3_600_000))]
    pub lease_ms: u64,
    /// How long an attempt may take whose job does not say so itself, in milliseconds; 0 for ever
    #[arg(long, env = "ATTEMPT_TIMEOUT_MS", default_value_t = 3_600_000)]
    pub attempt_timeout_ms: u64,
    /// How long an attempt that was cancelled, or is over its time, may take to end before it is abandoned, in
    /// milliseconds
    #[arg(long, env = "CANCEL_GRACE_MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub cancel_grace_ms: u64,
    /// How long the built-in `chat` handler works on a message, in milliseconds: stands for slow work
    #[arg(long, env = "CHAT_WORK_MS", default_value_t = 0)]
    pub chat_work_ms: u64,
    /// Where `/livez`, `/readyz` and `/metrics` are served. Default: 127.0.0.1:3002, or a free port if that is taken
    #[arg(long, env = "HEALTH_LISTEN")]
    pub health_listen: Option<SocketAddr>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "see the type")]
    pub redis: RedisArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "see the type")]
    pub keep: QueueArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "see the type")]
    pub exposure: ExposureArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "see the type")]
    pub shutdown: ShutdownArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "see the type")]
    pub telemetry: TelemetryArgs,
}

impl WorkerArgs {
    /// Runs a worker to its end on as many threads as `--threads` says. Who runs it in a runtime of their own has that, and the
    /// option says nothing.
    ///
    /// # Errors
    /// If the system gives no threads or no poll.
    pub fn block_on<F: Future>(&self, worker: F) -> std::io::Result<F::Output> {
        service::block_on(Some(self.threads), worker)
    }

    /// Refuses settings that contradict each other.
    pub fn validate(&self) -> anyhow::Result<()> {
        ensure!(
            self.redis.redis_timeout_ms < self.lease_ms * 10,
            "--redis-timeout-ms ({}) is far longer than --lease-ms ({}): jobs would be lost to others while one waits",
            self.redis.redis_timeout_ms,
            self.lease_ms
        );
        if let Some(name) = &self.name {
            let fits = !name.is_empty()
                && name.len() <= protocol::limits::MAX_NAME_BYTES
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
            ensure!(
                fits,
                "--name {name:?} must be 1 to 64 letters, digits, `-`, `_` or `.`"
            );
        }
        Ok(())
    }

    /// The lease's length.
    pub const fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// How long an attempt may take by default, if there is a limit.
    pub fn attempt_timeout(&self) -> Option<Duration> {
        (self.attempt_timeout_ms > 0).then(|| Duration::from_millis(self.attempt_timeout_ms))
    }

    /// The name of this host, as far as names may hold it.
    pub fn host() -> Option<String> {
        let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
        Some(name.replace(
            |c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.',
            "-",
        ))
    }

    /// The worker's name with a suffix of its own, so that two workers of one name never share a lease.
    pub fn unique_name(&self) -> String {
        let name = self
            .name
            .clone()
            .or_else(Self::host)
            .unwrap_or_else(|| "worker".to_owned());
        format!("{name}-{:08x}", rand::random::<u32>())
    }
}
