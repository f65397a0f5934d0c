//! What a test's Redis is made of: one server; a primary with a replica and three Sentinels; or a Cluster of three
//! primaries, each with a replica.

use std::{fmt::Write as _, fs::write, path::Path};

use rand::RngExt as _;

use super::server::Server;

/// How many slots a Cluster has.
pub(super) const SLOTS: usize = 16_384;
/// What the Sentinels call the primary.
pub(super) const PRIMARY: &str = "main";

/// How a test's Redis is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    One,
    /// A primary, a replica, and three Sentinels.
    Sentinel,
    /// Primaries and a replica of each, with slots spread evenly.
    Cluster {
        /// How many primaries.
        primaries: usize,
        /// How many replicas each of them has.
        replicas: usize,
        /// For how long a node may not answer before the others put its replica in its place, in milliseconds.
        node_timeout_ms: u64,
    },
}

impl Topology {
    /// What `REDIS_TOPOLOGY` asks for: `one`, which is the default, `sentinel` or `cluster`.
    pub fn from_env() -> Self {
        match std::env::var("REDIS_TOPOLOGY").as_deref() {
            Err(_) | Ok("" | "one") => Self::One,
            Ok("sentinel") => Self::Sentinel,
            Ok("cluster") => Self::Cluster {
                primaries: 3,
                replicas: 1,
                node_timeout_ms: 5_000,
            },
            Ok(other) => panic!("REDIS_TOPOLOGY is `one`, `sentinel` or `cluster`, not {other:?}"),
        }
    }

    /// The processes, none of which runs, the primaries first; and how many of them hold data.
    pub(super) fn servers(self, folder: &Path, options: &[String]) -> (Vec<Server>, usize) {
        let server = |name: String, more: &[&str]| {
            let mut all = vec!["--save".to_owned(), String::new()];
            all.extend(options.iter().cloned());
            all.extend(more.iter().map(|word| (*word).to_owned()));
            Server::new(folder.join(name), all)
        };
        match self {
            Self::One => (vec![server("data".to_owned(), &[])], 1),
            Self::Sentinel => sentinels(folder, server),
            Self::Cluster {
                primaries,
                replicas,
                node_timeout_ms,
            } => {
                let servers = cluster(primaries, replicas, node_timeout_ms, server);
                let count = servers.len();
                (servers, count)
            }
        }
    }

    /// How the processes are reached.
    pub(super) fn url(self, servers: &[Server]) -> String {
        let list = |servers: &[Server]| {
            let places: Vec<_> = servers
                .iter()
                .map(|server| format!("127.0.0.1:{}", server.port))
                .collect();
            places.join(",")
        };
        let scheme = if servers[0].tls.is_some() {
            "rediss"
        } else {
            "redis"
        };
        match self {
            Self::One => servers[0].url(),
            Self::Sentinel => format!("{scheme}-sentinel://{}/{PRIMARY}", list(&servers[2..])),
            Self::Cluster { .. } => format!("{scheme}-cluster://{}", list(servers)),
        }
    }
}

fn sentinels(folder: &Path, server: impl Fn(String, &[&str]) -> Server) -> (Vec<Server>, usize) {
    let primary = server("primary".to_owned(), &[]);
    let port = primary.port.to_string();
    let replica = server(
        "replica".to_owned(),
        &[
            "--replicaof",
            "127.0.0.1",
            &port,
            "--repl-diskless-sync-delay",
            "0",
        ],
    );
    let mut all = vec![primary, replica];
    for n in 0..3 {
        let folder = folder.join(format!("sentinel-{n}"));
        let file = folder.join("sentinel.conf").display().to_string();
        let sentinel = Server::new(folder, vec![file.clone(), "--sentinel".to_owned()]);
        let text = format!(
            "sentinel monitor {PRIMARY} 127.0.0.1 {port} 2\nsentinel down-after-milliseconds {PRIMARY} 2000\n\
             sentinel failover-timeout {PRIMARY} 10000\n"
        );
        write(file, text).expect("a file can be written");
        all.push(sentinel);
    }
    (all, 2)
}

/// Nodes that know one another from the beginning: to introduce them would take seconds.
fn cluster(
    primaries: usize,
    replicas: usize,
    node_timeout_ms: u64,
    server: impl Fn(String, &[&str]) -> Server,
) -> Vec<Server> {
    let count = primaries * (1 + replicas);
    let timeout = node_timeout_ms.to_string();
    let servers: Vec<_> = (0..count)
        .map(|n| {
            let mut server = server(
                format!("node-{n}"),
                &[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-node-timeout",
                    &timeout,
                    // What one shard has lost is no reason for the others to stop.
                    "--cluster-require-full-coverage",
                    "no",
                    "--cluster-allow-replica-migration",
                    "no",
                    "--repl-diskless-sync-delay",
                    "0",
                ],
            );
            server.options.push("--cluster-port".to_owned());
            server.options.push(server.bus.to_string());
            server
        })
        .collect();
    let mut rng = rand::rng();
    let ids: Vec<String> = (0..count)
        .map(|_| format!("{:040x}", rng.random::<u128>()))
        .collect();
    for (me, server) in servers.iter().enumerate() {
        let mut text = String::new();
        for (n, node) in servers.iter().enumerate() {
            let myself = if n == me { "myself," } else { "" };
            let (id, port, bus) = (&ids[n], node.port, node.bus);
            let role = if n < primaries {
                let first = n * SLOTS / primaries;
                let last = (n + 1) * SLOTS / primaries - 1;
                let epoch = n + 1;
                format!("{myself}master - 0 0 {epoch} connected {first}-{last}")
            } else {
                let of = (n - primaries) % primaries;
                let epoch = of + 1;
                format!("{myself}slave {} 0 0 {epoch} connected", ids[of])
            };
            let _ = writeln!(text, "{id} 127.0.0.1:{port}@{bus} {role}");
        }
        let _ = writeln!(text, "vars currentEpoch {count} lastVoteEpoch 0");
        write(server.folder.join("nodes.conf"), text).expect("a file can be written");
    }
    servers
}
