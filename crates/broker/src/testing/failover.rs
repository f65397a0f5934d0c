//! Takes single servers of a test's Redis away, and looks whether another has taken their place.

use std::collections::HashMap;

use nix::sys::signal::Signal;
use redis::FromRedisValue;

use super::{TestRedis, Topology, server_alone, topology::PRIMARY, until};
use crate::Redis;

impl TestRedis {
    /// Which of the servers that hold data is the primary of a key now.
    pub async fn owner(&self, key: &str) -> usize {
        until("a primary is found", async || self.owner_now(key).await).await
    }

    /// The same, if anybody says so.
    pub async fn owner_now(&self, key: &str) -> Option<usize> {
        let redis = self.connect("raw");
        let info: String = redis
            .query_at(key, redis::cmd("INFO").arg("server"))
            .await
            .ok()?;
        let port = info
            .lines()
            .find_map(|line| line.strip_prefix("tcp_port:"))?;
        let port: u16 = port.trim().parse().ok()?;
        (0..self.holders()).find(|n| self.port(*n) == port)
    }

    /// Sends a raw command that is about a server to the one that is the primary of a key.
    pub async fn command_where<T: FromRedisValue>(&self, key: &str, words: &[&str]) -> T {
        let mut cmd = redis::cmd(words[0]);
        cmd.arg(&words[1..]);
        let answer = self.connect("raw").query_at(key, &cmd).await;
        answer.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Ends one of the servers that hold data as a power failure would.
    pub fn kill_one(&mut self, n: usize) {
        self.servers[n].kill();
    }

    /// Starts what was ended; that it answers is not waited for.
    pub fn start_one(&mut self, n: usize) {
        if !self.servers[n].runs() {
            self.servers[n].start();
        }
    }

    /// Stops one of the servers from answering.
    pub fn stall_one(&self, n: usize) {
        self.servers[n].signal(Signal::SIGSTOP);
    }

    /// Lets it answer again.
    pub fn resume_one(&self, n: usize) {
        self.servers[n].signal(Signal::SIGCONT);
    }

    /// Waits until another server has taken the place of one that does not answer.
    pub async fn replaced(&self, n: usize) {
        until("a replica is promoted", async || {
            self.is_replaced(n).await.then_some(())
        })
        .await;
    }

    /// Whether all others know that another server has the place of one that does not answer.
    pub async fn is_replaced(&self, n: usize) -> bool {
        let port = self.port(n);
        match self.topology() {
            Topology::One => false,
            Topology::Sentinel => {
                let info: Result<String, _> = self
                    .connect("raw")
                    .ask(redis::cmd("INFO").arg("server"))
                    .await;
                info.is_ok_and(|info| !info.contains(&format!("tcp_port:{port}")))
            }
            Topology::Cluster { .. } => {
                let place = format!("127.0.0.1:{port}@");
                for (other, server) in self.servers.iter().enumerate() {
                    if other == n || !server.runs() {
                        continue;
                    }
                    let cmd = redis::cmd("CLUSTER").arg("NODES").clone();
                    let nodes: Result<String, _> = server_alone(server).ask(&cmd).await;
                    let Ok(nodes) = nodes else { return false };
                    // Who has slots has them in the ninth column and on.
                    let line = nodes.lines().find(|line| line.contains(&place));
                    if line.is_none_or(|line| line.split(' ').count() > 8) {
                        return false;
                    }
                }
                true
            }
        }
    }

    /// Whether every part answers: all slots have a primary, all replicas have caught up, and who watches over them could
    /// replace any.
    pub async fn is_settled(&self) -> bool {
        let (holders, sentinels) = self.servers.split_at(self.holders());
        for server in holders {
            if !self.is_well(&server_alone(server)).await {
                return false;
            }
        }
        for sentinel in sentinels {
            if !knows_all(&server_alone(sentinel), holders.len(), sentinels.len()).await {
                return false;
            }
        }
        true
    }

    async fn is_well(&self, redis: &Redis) -> bool {
        let info: Result<String, _> = redis.ask(redis::cmd("INFO").arg("replication")).await;
        let Ok(info) = info else { return false };
        let synced = if info.contains("role:master") {
            // With its replica, where there should be one.
            self.holders() == self.primaries() || info.contains("state=online")
        } else {
            info.contains("master_link_status:up")
        };
        if !matches!(self.topology(), Topology::Cluster { .. }) {
            return synced;
        }
        let state: Result<String, _> = redis.ask(redis::cmd("CLUSTER").arg("INFO")).await;
        synced
            && state.is_ok_and(|state| {
                state.contains("cluster_state:ok") && state.contains("cluster_slots_ok:16384")
            })
    }

    fn primaries(&self) -> usize {
        match self.topology() {
            Topology::One | Topology::Sentinel => 1,
            Topology::Cluster { primaries, .. } => primaries,
        }
    }
}

/// Whether a Sentinel knows all replicas, of which it hears every ten seconds, and all others of its kind. Without them it
/// finds nobody to put in the place of a primary, or nobody who agrees, and tries that again only after twenty.
async fn knows_all(sentinel: &Redis, holders: usize, sentinels: usize) -> bool {
    let mut cmd = redis::cmd("SENTINEL");
    cmd.arg("MASTER").arg(PRIMARY);
    let Ok(said) = sentinel.ask::<HashMap<String, String>>(&cmd).await else {
        return false;
    };
    let is = |name: &str, value: &str| said.get(name).is_some_and(|said| said == value);
    is("flags", "master")
        && is("num-slaves", &(holders - 1).to_string())
        && is("num-other-sentinels", &(sentinels - 1).to_string())
}
