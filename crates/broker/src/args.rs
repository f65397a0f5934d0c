//! How to reach Redis and how long to keep what is in it: the same for all three binaries.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use protocol::Durability;
use redis::{ClientTlsConfig, TlsCertificates};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::Error;

/// Where Redis is and how patient to be with it.
#[derive(Args, Clone, Debug)]
pub struct RedisArgs {
    /// Redis or Valkey: `redis://[user:password@]host:port/[db]`, `unix:///path/to/socket`, some nodes of a Cluster,
    /// `redis-cluster://[user:password@]host:port,host:port`, or Sentinels and the name of their primary,
    /// `redis-sentinel://[user:password@]host:port,host:port/name`. With TLS: `rediss`, `rediss-cluster`, `rediss-sentinel`
    #[arg(
        long,
        env = "REDIS_URL",
        default_value = "redis://127.0.0.1:6379/",
        hide_env_values = true
    )]
    pub redis_url: String,
    /// What every key begins with, so that several systems can share one Redis
    #[arg(long, env = "KEY_PREFIX", default_value = "dwb")]
    pub key_prefix: String,
    /// How long to wait for an answer of Redis before the connection is given up, in milliseconds
    #[arg(long, env = "REDIS_TIMEOUT_MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub redis_timeout_ms: u64,
    /// Certificates.
    #[command(flatten)]
    pub tls: TlsArgs,
}

/// Certificates for TLS to Redis. Without any, who signed Redis' is looked up among those that the system trusts.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsArgs {
    /// Who signed the certificate of Redis, in place of those that the system trusts: a file of PEM
    #[arg(long, env = "REDIS_CA", value_name = "FILE")]
    pub redis_ca: Option<PathBuf>,
    /// The certificate that Redis is shown: a file of PEM
    #[arg(long, env = "REDIS_CERT", value_name = "FILE", requires = "redis_key")]
    pub redis_cert: Option<PathBuf>,
    /// The private key of that certificate: a file of PEM
    #[arg(long, env = "REDIS_KEY", value_name = "FILE", requires = "redis_cert")]
    pub redis_key: Option<PathBuf>,
}

impl TlsArgs {
    /// Reads the files; none if none are named. What is no certificate, or no key, is said of the file: the client library
    /// would leave it out in silence, or blame the URL.
    pub(crate) fn read(&self) -> Result<Option<TlsCertificates>, Error> {
        let client_tls = match (&self.redis_cert, &self.redis_key) {
            (Some(cert), Some(key)) => Some(ClientTlsConfig {
                client_cert: certificates(cert)?,
                client_key: private_key(key)?,
            }),
            _ => None,
        };
        let root_cert = self.redis_ca.as_ref();
        let root_cert = root_cert.map(|path| certificates(path)).transpose()?;
        let any = client_tls.is_some() || root_cert.is_some();
        Ok(any.then_some(TlsCertificates {
            client_tls,
            root_cert,
        }))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::Tls(path.to_owned(), error))
}

fn certificates(path: &Path) -> Result<Vec<u8>, Error> {
    let text = read(path)?;
    let mut found = CertificateDer::pem_slice_iter(&text).peekable();
    if found.peek().is_some() && found.all(|one| one.is_ok()) {
        return Ok(text);
    }
    Err(Error::Pem(path.to_owned(), "certificate"))
}

fn private_key(path: &Path) -> Result<Vec<u8>, Error> {
    let text = read(path)?;
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(_) => Ok(text),
        Err(_) => Err(Error::Pem(path.to_owned(), "private key")),
    }
}

impl RedisArgs {
    /// How long to wait for an answer.
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.redis_timeout_ms)
    }
}

/// What is made sure of before a job is confirmed.
#[derive(Args, Clone, Copy, Debug)]
pub struct DurabilityArgs {
    /// When a message counts as accepted: `written` to Redis' memory (what its disk has depends on `appendfsync`),
    /// `fsynced` to its disk (needs `WAITAOF`, which Redis has since 7.2, or `appendfsync always`), or `replicated`
    #[arg(long, env = "DURABILITY", default_value_t = Durability::Written)]
    pub durability: Durability,
    /// How many replicas must have a message for `replicated`
    #[arg(long, env = "REPLICAS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub replicas: u32,
}

impl Default for DurabilityArgs {
    fn default() -> Self {
        Self {
            durability: Durability::Written,
            replicas: 1,
        }
    }
}

/// How much of what is over is kept, per queue. All processes of one system should agree on these.
#[derive(Args, Clone, Debug)]
pub struct QueueArgs {
    /// How long a completed job and its result are kept, in seconds
    #[arg(long, env = "KEEP_COMPLETED_SECS", default_value_t = 24 * 3600)]
    pub keep_completed_secs: u64,
    /// How long a failed job is kept, in seconds
    #[arg(long, env = "KEEP_FAILED_SECS", default_value_t = 7 * 24 * 3600)]
    pub keep_failed_secs: u64,
    /// How many completed, failed and cancelled jobs are kept, of each, whatever their age
    #[arg(long, env = "KEEP_JOBS", default_value_t = 100_000)]
    pub keep_jobs: u64,
    /// How many bytes of completed and how many of failed jobs are kept, whatever their age: payloads, results and logs
    #[arg(long, env = "KEEP_BYTES", default_value_t = 512 * 1024 * 1024)]
    pub keep_bytes: u64,
    /// How long an idempotency key is kept after its job may run, in seconds: at least a day
    #[arg(long, env = "KEEP_KEY_SECS", default_value_t = 24 * 3600, value_parser = clap::value_parser!(u64).range(24 * 3600..))]
    pub keep_key_secs: u64,
    /// How many jobs may wait or be delayed before more are refused, unless `queue limits` says otherwise
    #[arg(long, env = "MAX_WAITING", default_value_t = 1_000_000)]
    pub max_waiting: u64,
    /// How many bytes of payload may wait or be delayed before more are refused, unless `queue limits` says otherwise
    #[arg(long, env = "MAX_WAITING_BYTES", default_value_t = 1024 * 1024 * 1024)]
    pub max_waiting_bytes: u64,
    /// How many events a channel's log keeps
    #[arg(long, env = "LOG_MAX_EVENTS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub log_max_events: u64,
    /// How many bytes of events a channel's log keeps
    #[arg(long, env = "LOG_MAX_BYTES", default_value_t = 8 * 1024 * 1024)]
    pub log_max_bytes: u64,
    /// How long a channel's log is kept after its last event, in seconds
    #[arg(long, env = "LOG_TTL_SECS", default_value_t = 24 * 3600)]
    pub log_ttl_secs: u64,
}

impl Default for QueueArgs {
    fn default() -> Self {
        Self {
            keep_completed_secs: 24 * 3600,
            keep_failed_secs: 7 * 24 * 3600,
            keep_jobs: 100_000,
            keep_bytes: 512 * 1024 * 1024,
            keep_key_secs: 24 * 3600,
            max_waiting: 1_000_000,
            max_waiting_bytes: 1024 * 1024 * 1024,
            log_max_events: 10_000,
            log_max_bytes: 8 * 1024 * 1024,
            log_ttl_secs: 24 * 3600,
        }
    }
}
