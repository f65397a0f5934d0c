//! What the tests of all crates share: a private Redis that can be killed, stalled and started again, and waiting
//! for a condition. And parts of this crate on their own, for its benchmarks.
//!
//! Only built with the feature `testing`. It panics where a test should fail.

mod puppet;

use std::{
    fs::File,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::RngExt as _;
use redis::FromRedisValue;
use tempfile::TempDir;

use crate::{Redis, RedisArgs, stored::Stored};

pub use crate::feeds::offline::{Messages, Offline};
pub use puppet::{Act, Answer, Held, Puppet, What};

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

/// A `redis-server` of the test's own, on a free port, with its data in a temporary folder. It ends with this value.
pub struct TestRedis {
    port: u16,
    options: Vec<String>,
    data: TempDir,
    process: Option<Child>,
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
        redis.run().await;
        redis
    }

    /// One that does not run yet; its address is known all the same.
    pub fn stopped(options: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder can be made");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Self {
            port: free_port(),
            options,
            data,
            process: None,
        }
    }

    /// Starts it, or starts it again on the same port with the same data, and waits until it answers.
    pub async fn run(&mut self) {
        assert!(self.process.is_none(), "Redis runs already");
        let log = File::create(self.data.path().join("log")).expect("the log can be made");
        let server = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let mut command = tied(&server);
        command
            .args(["--bind", "127.0.0.1", "--save", "", "--port"])
            .arg(self.port.to_string())
            .arg("--dir")
            .arg(self.data.path())
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null());
        let process = command
            .spawn()
            .unwrap_or_else(|error| panic!("{server} does not start: {error}"));
        self.process = Some(process);
        let args = self.args("ping");
        until("Redis answers", async || {
            Redis::new(&args).ok()?.ping().await.ok()
        })
        .await;
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// How to reach it, under a prefix of the test's own.
    pub fn args(&self, prefix: &str) -> RedisArgs {
        RedisArgs {
            redis_url: self.url(),
            key_prefix: prefix.to_owned(),
            redis_timeout_ms: 5_000,
        }
    }

    /// A connection under a prefix.
    pub fn connect(&self, prefix: &str) -> Redis {
        Redis::new(&self.args(prefix)).expect("the arguments are right")
    }

    /// Sends a raw command.
    pub async fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut cmd = redis::cmd(words[0]);
        cmd.arg(&words[1..]);
        self.connect("raw")
            .query(&cmd)
            .await
            .unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Ends it as a power failure would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the process can be killed");
            process.wait().expect("the process can be waited for");
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
        let process = self.process.as_ref().expect("Redis runs");
        let pid = Pid::from_raw(i32::try_from(process.id()).expect("a pid fits"));
        kill(pid, signal).expect("the process takes a signal");
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        self.kill();
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

/// A port that was free a moment ago, below those that the system gives to outgoing connections.
pub fn free_port() -> u16 {
    let mut rng = rand::rng();
    loop {
        let port = rng.random_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
