//! What the tests of all crates share: a private Redis that can be killed, stalled and started again, and waiting
//! for a condition. And parts of this crate on their own, for its benchmarks.
//!
//! Only built with the feature `testing`. It panics where a test should fail.

mod authority;
mod failover;
mod moving;
mod puppet;
mod server;
mod topology;
mod users;

use std::{
    net::{TcpListener, UdpSocket},
    path::PathBuf,
    process::Command,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use rand::RngExt as _;
use redis::{FromRedisValue, Value};
use tempfile::TempDir;

use crate::{Error, Redis, RedisArgs, stored::Stored};

use server::Server;

pub use crate::feeds::offline::{Messages, Offline};
pub use authority::{Authority, Signed};
pub use moving::Moving;
pub use puppet::{Act, Answer, Held, Puppet, What};
pub use topology::Topology;

/// An id that no job has, of a test's choice.
pub const fn fresh(id: protocol::JobId) -> crate::FreshId {
    crate::FreshId::of(id)
}

/// How long a test waits for what should happen soon, on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until a question has an answer, and fails the test if it has none in [`PATIENCE`].
pub async fn until<T>(what: &str, mut question: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = question().await {
            return answer;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain until {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A Redis of the test's own, on free ports, with its data in a temporary folder. It ends with this value.
pub struct TestRedis {
    topology: Topology,
    /// Those that hold data come first.
    servers: Vec<Server>,
    holders: usize,
    /// Kept until the end.
    _data: TempDir,
}

impl TestRedis {
    /// Starts one that keeps nothing on disk.
    pub async fn start() -> Self {
        Self::start_with(&["--appendonly", "no"]).await
    }

    /// Starts one that has every write on disk before it answers.
    pub async fn durable() -> Self {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await
    }

    /// Starts one with options of `redis-server`.
    pub async fn start_with(options: &[&str]) -> Self {
        let mut redis = Self::stopped(options);
        Box::pin(redis.run()).await;
        redis
    }

    /// Starts one that is made up as a test wants it, whatever others are.
    pub async fn start_as(topology: Topology, options: &[&str]) -> Self {
        let mut redis = Self::stopped_as(topology, options);
        Box::pin(redis.run()).await;
        redis
    }

    /// The same, whose servers speak TLS alone, with certificates of this authority, and to those alone that show one.
    pub async fn start_tls(topology: Topology, authority: &Authority) -> Self {
        let mut redis = Self::stopped_as(topology, &["--appendonly", "no"]);
        let tls = authority.args();
        for server in &mut redis.servers {
            server.options.extend(authority.options());
            server.tls = Some(tls.clone());
        }
        Box::pin(redis.run()).await;
        redis
    }

    /// One that does not run yet; its address is known all the same.
    pub fn stopped(options: &[&str]) -> Self {
        Self::stopped_as(Topology::from_env(), options)
    }

    fn stopped_as(topology: Topology, options: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder can be made");
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        let (servers, holders) = topology.servers(data.path(), &options);
        Self {
            topology,
            servers,
            holders,
            _data: data,
        }
    }

    /// Starts it, or starts it again in the same place with the same data, and waits until it answers.
    pub async fn run(&mut self) {
        for server in self.servers.iter_mut().filter(|server| !server.runs()) {
            server.start();
        }
        self.settled().await;
    }

    /// Waits until every part of it answers: all slots have a primary, all replicas have caught up.
    pub async fn settled(&self) {
        let args = self.args("ping");
        until("Redis answers", async || {
            self.servers.iter().for_each(Server::still_runs);
            Redis::new(&args).ok()?.ping().await.ok()
        })
        .await;
        if self.topology == Topology::One {
            return;
        }
        for server in &self.servers[..self.holders] {
            let redis = server_alone(server);
            until("all of Redis answers", async || {
                server.still_runs();
                let info: String = redis
                    .ask(redis::cmd("INFO").arg("replication"))
                    .await
                    .ok()?;
                let synced = info.contains("role:master") || info.contains("master_link_status:up");
                let clustered = matches!(self.topology, Topology::Cluster { .. });
                let state: String = if clustered {
                    redis.ask(redis::cmd("CLUSTER").arg("INFO")).await.ok()?
                } else {
                    String::new()
                };
                let whole = !clustered
                    || (state.contains("cluster_state:ok")
                        && state.contains("cluster_slots_ok:16384"));
                (synced && whole).then_some(())
            })
            .await;
        }
    }

    /// How it is made up.
    pub const fn topology(&self) -> Topology {
        self.topology
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.topology.url(&self.servers)
    }

    /// The flags by which a process reaches it, as a user if one is named.
    pub fn flags(&self, user: Option<(&str, &str)>) -> Vec<String> {
        let mut url = self.url();
        if let Some((user, password)) = user {
            url = url.replacen("://", &format!("://{user}:{password}@"), 1);
        }
        let mut flags = vec!["--redis-url".to_owned(), url];
        let tls = self.servers[0].tls.clone().unwrap_or_default();
        let files = [
            ("--redis-ca", tls.redis_ca),
            ("--redis-cert", tls.redis_cert),
            ("--redis-key", tls.redis_key),
        ];
        for (flag, file) in files {
            if let Some(file) = file {
                flags.extend([flag.to_owned(), file.display().to_string()]);
            }
        }
        flags
    }

    /// How to reach it, under a prefix of the test's own.
    pub fn args(&self, prefix: &str) -> RedisArgs {
        RedisArgs {
            redis_url: self.url(),
            key_prefix: prefix.to_owned(),
            redis_timeout_ms: 5_000,
            tls: self.servers[0].tls.clone().unwrap_or_default(),
        }
    }

    /// A connection under a prefix.
    pub fn connect(&self, prefix: &str) -> Redis {
        Redis::new(&self.args(prefix)).expect("the arguments are right")
    }

    /// Sends a raw command: to the server that has its key, or, if it is about servers, to all that are primaries. Of what
    /// those answer, lists are put together, numbers added, texts joined; otherwise it is the first answer.
    pub async fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        command(&self.connect("raw"), words).await
    }

    /// The command that publishes to those who follow feeds.
    pub fn publish(&self) -> &'static str {
        let sharded = matches!(self.topology, Topology::Cluster { .. });
        if sharded { "SPUBLISH" } else { "PUBLISH" }
    }

    /// Ends all of it as a power failure would, but for what watches over it.
    pub fn kill(&mut self) {
        // Replicas first, so that none takes the place of its primary.
        for server in self.servers[..self.holders].iter_mut().rev() {
            server.kill();
        }
    }

    /// Stops it from answering, without closing a connection.
    pub fn stall(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it answer again.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        for server in self.servers[..self.holders].iter().rev() {
            server.signal(signal);
        }
    }

    /// The port of one of the servers that hold data.
    pub fn port(&self, n: usize) -> u16 {
        self.servers[n].port
    }

    /// How many servers hold data.
    pub const fn holders(&self) -> usize {
        self.holders
    }

    /// Sends a raw command to one of the servers that hold data, as if it were alone.
    pub async fn command_at<T: FromRedisValue>(&self, n: usize, words: &[&str]) -> T {
        let mut cmd = redis::cmd(words[0]);
        cmd.arg(&words[1..]);
        server_alone(&self.servers[n])
            .ask(&cmd)
            .await
            .unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }
}

/// Sends a raw command, as [`TestRedis::command`] does.
pub async fn command<T: FromRedisValue>(redis: &Redis, words: &[&str]) -> T {
    let mut cmd = redis::cmd(words[0]);
    cmd.arg(&words[1..]);
    let about_servers = matches!(
        words[0],
        "CLIENT" | "CONFIG" | "DBSIZE" | "FLUSHALL" | "INFO" | "KEYS" | "SCRIPT"
    );
    let answer = async {
        if words[0] == "TIME" {
            return redis.ask(&cmd).await;
        }
        if !about_servers {
            return redis.query(&cmd).await;
        }
        let answers = redis.ask_all::<Value>(&cmd).await?;
        let merged = answers.into_iter().map(|(_, answer)| answer).reduce(merge);
        let merged = merged.unwrap_or(Value::Nil);
        redis::from_redis_value(merged).map_err(|error| Error::Stored(error.to_string()))
    };
    answer
        .await
        .unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn server_alone(server: &Server) -> Redis {
    Redis::new(&server.args()).expect("the arguments are right")
}

fn merge(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Array(mut one), Value::Array(other)) => {
            one.extend(other);
            Value::Array(one)
        }
        (Value::Int(one), Value::Int(other)) => Value::Int(one + other),
        (Value::BulkString(mut one), Value::BulkString(other)) => {
            one.extend(other);
            Value::BulkString(one)
        }
        (one, _) => one,
    }
}

/// Reads a stored job, as far as the head; says how many bytes of payload and extra are there, and nothing of a damaged one.
pub fn read_job(record: &[u8]) -> Option<usize> {
    Stored::read(record).map(|stored| stored.payload(b"").len() + stored.extra().len())
}

/// A command whose process is killed when the test's thread ends, however it ends.
pub fn tied(program: &str) -> Command {
    let tool = PathBuf::from("/usr/bin/setpriv");
    if tool.exists() {
        let mut command = Command::new(tool);
        command.args(["--pdeathsig", "KILL", "--", program]);
        command
    } else {
        Command::new(program)
    }
}

/// A port that was free a moment ago, below those that the system gives to outgoing connections; another one each time.
///
/// No other test is given it as long as this process is there: it has the UDP port of that number, which nothing else
/// wants. Or two Clusters that start at the same time would choose alike now and then.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    let mut rng = rand::rng();
    loop {
        let place = ("127.0.0.1", rng.random_range(20_000..32_000));
        if let Ok(mark) = UdpSocket::bind(place)
            && TcpListener::bind(place).is_ok()
        {
            let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
            given.push(mark);
            return place.1;
        }
    }
}
