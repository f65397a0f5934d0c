//! How Redis itself does: what an operator looks at first when everything is slow.

use std::collections::HashMap;

use serde::Serialize;

use crate::{Error, Inspector, preflight};

/// What Redis says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RedisHealth {
    /// Where it is, without a password.
    pub address: String,
    /// Its version, or Valkey's.
    pub version: String,
    /// `standalone`, `sentinel` or `cluster`.
    pub mode: String,
    /// For how many seconds it runs.
    pub uptime_s: u64,
    /// How many connections it has.
    pub clients: u64,
    /// Commands a second, lately.
    pub ops_per_s: u64,
    /// How full it is.
    pub memory: RedisMemory,
    /// What it has on disk.
    pub persistence: Persistence,
    /// Who has copies.
    pub replication: Replication,
    /// What should be set otherwise.
    pub warnings: Vec<String>,
}

/// In bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RedisMemory {
    /// What it uses.
    pub used: u64,
    /// The most that it used since it runs.
    pub peak: u64,
    /// What it may use; 0 without a limit.
    pub max: u64,
    /// What it does when it is full.
    pub policy: String,
}

/// What Redis has on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Persistence {
    /// Whether it writes an append-only file.
    pub aof: bool,
    /// How often that is forced to disk; absent where Redis does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fsync: Option<String>,
    /// When it was last saved as a whole, in seconds since the Unix epoch.
    pub rdb_saved_at: u64,
    /// Whether it reads its data now.
    pub loading: bool,
    /// Whether the last write to disk failed.
    pub last_error: bool,
}

/// Who has copies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replication {
    /// `master` or `slave`, as Redis says.
    pub role: String,
    /// How many replicas are connected.
    pub replicas: u64,
}

impl Inspector {
    /// Asks Redis how it does. Of a Cluster the numbers of its primaries are added, and what is wrong with one is wrong.
    pub async fn health(&self) -> Result<RedisHealth, Error> {
        let answers: Vec<(String, String)> = self.redis().ask_all(&redis::cmd("INFO")).await?;
        let mut cmd = redis::cmd("CONFIG");
        cmd.arg("GET").arg("appendfsync");
        // A managed Redis may not tell its settings.
        let config: Result<HashMap<String, String>, Error> = self.redis().ask(&cmd).await;
        let fsync = config.ok().and_then(|mut all| all.remove("appendfsync"));
        let all = answers.iter().map(|(_, info)| RedisHealth::read(info));
        let mut health = all.reduce(RedisHealth::and).unwrap_or_default();
        health.address = self.redis().address();
        health.persistence.fsync = fsync;
        Ok(health)
    }
}

impl RedisHealth {
    /// What one server says of itself.
    fn read(info: &str) -> Self {
        let info = preflight::fields(info);
        let text = |name: &str| info.get(name).copied().unwrap_or_default().to_owned();
        let number = |name: &str| text(name).parse().unwrap_or(0);
        let bad = |name: &str| !matches!(text(name).as_str(), "ok" | "");
        Self {
            address: String::new(),
            version: preflight::version(&info).to_owned(),
            mode: text("redis_mode"),
            uptime_s: number("uptime_in_seconds"),
            clients: number("connected_clients"),
            ops_per_s: number("instantaneous_ops_per_sec"),
            memory: RedisMemory {
                used: number("used_memory"),
                peak: number("used_memory_peak"),
                max: number("maxmemory"),
                policy: text("maxmemory_policy"),
            },
            persistence: Persistence {
                aof: text("aof_enabled") == "1",
                fsync: None,
                rdb_saved_at: number("rdb_last_save_time"),
                loading: text("loading") == "1",
                last_error: bad("rdb_last_bgsave_status")
                    || bad("aof_last_write_status")
                    || bad("aof_last_bgrewrite_status"),
            },
            replication: Replication {
                role: text("role"),
                replicas: number("connected_slaves"),
            },
            warnings: preflight::warnings(&info)
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }

    /// Two servers of one Cluster.
    fn and(mut self, other: Self) -> Self {
        self.uptime_s = self.uptime_s.min(other.uptime_s);
        self.clients += other.clients;
        self.ops_per_s += other.ops_per_s;
        self.memory.used += other.memory.used;
        self.memory.peak += other.memory.peak;
        self.memory.max += other.memory.max;
        let (mine, its) = (&mut self.persistence, other.persistence);
        mine.aof &= its.aof;
        mine.rdb_saved_at = mine.rdb_saved_at.min(its.rdb_saved_at);
        mine.loading |= its.loading;
        mine.last_error |= its.last_error;
        self.replication.replicas += other.replication.replicas;
        for warning in other.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        self
    }
}
