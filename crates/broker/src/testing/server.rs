//! One process of a test's Redis: a server, a node of a Cluster, or a Sentinel.

use std::{
    fs::{File, create_dir_all, read_to_string},
    path::PathBuf,
    process::{Child, Stdio},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};

use super::{free_port, tied};
use crate::{RedisArgs, TlsArgs};

/// A process with a folder of its own, started as often as a test likes.
pub(super) struct Server {
    pub(super) port: u16,
    /// What it says to others of its kind; only in a Cluster.
    pub(super) bus: u16,
    pub(super) folder: PathBuf,
    /// What it is told besides where it is.
    pub(super) options: Vec<String>,
    /// How it is reached if it speaks TLS, and nothing else then.
    pub(super) tls: Option<TlsArgs>,
    process: Option<Child>,
}

impl Server {
    /// One that does not run yet.
    pub(super) fn new(folder: PathBuf, options: Vec<String>) -> Self {
        create_dir_all(&folder).expect("a folder can be made");
        Self {
            port: free_port(),
            bus: free_port(),
            folder,
            options,
            tls: None,
            process: None,
        }
    }

    pub(super) fn url(&self) -> String {
        let scheme = if self.tls.is_some() {
            "rediss"
        } else {
            "redis"
        };
        format!("{scheme}://127.0.0.1:{}/", self.port)
    }

    /// How it is reached as if it were alone.
    pub(super) fn args(&self) -> RedisArgs {
        RedisArgs {
            redis_url: self.url(),
            key_prefix: "raw".to_owned(),
            redis_timeout_ms: 1_000,
            tls: self.tls.clone().unwrap_or_default(),
        }
    }

    /// Starts the process; that it answers is for others to wait for.
    pub(super) fn start(&mut self) {
        assert!(self.process.is_none(), "Redis runs already");
        let log = File::create(self.folder.join("log")).expect("the log can be made");
        let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let mut command = tied(&program);
        let port: &[&str] = if self.tls.is_some() {
            &["--port", "0", "--tls-port"]
        } else {
            &["--port"]
        };
        command
            .args(&self.options)
            .args(["--bind", "127.0.0.1"])
            .args(port)
            .arg(self.port.to_string())
            .arg("--dir")
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log can be shared"))
            .stderr(log);
        let process = command
            .spawn()
            .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        self.process = Some(process);
    }

    pub(super) const fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// Fails the test with what it said last, if it has ended by itself: to wait for it would be in vain.
    pub(super) fn still_runs(&self) {
        let Some(process) = &self.process else { return };
        let pid = Pid::from_raw(i32::try_from(process.id()).expect("a pid fits"));
        // Whoever ends it waits for it as well.
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        let status = waitid(Id::Pid(pid), look).expect("the process is ours");
        if status != WaitStatus::StillAlive {
            let log = read_to_string(self.folder.join("log")).unwrap_or_default();
            panic!("Redis ended by itself, {status:?}:\n{log}");
        }
    }

    /// Ends it as a power failure would.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the process can be killed");
            process.wait().expect("the process can be waited for");
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        let Some(process) = &self.process else { return };
        let pid = Pid::from_raw(i32::try_from(process.id()).expect("a pid fits"));
        kill(pid, signal).expect("the process takes a signal");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::TestRedis;

    #[tokio::test]
    #[should_panic(expected = "no-such-option")]
    async fn one_that_does_not_start_says_why() {
        TestRedis::start_with(&["--no-such-option", "1"]).await;
    }
}
