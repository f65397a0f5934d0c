//! A Redis for one test: on a socket in a directory of its own, gone with the test however it ends.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
};

use crate::{until, within};

pub(crate) struct Redis {
    directory: TempDir,
    server: Option<Child>,
}

impl Redis {
    /// A place for a Redis that is not started yet.
    pub(crate) fn absent() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            server: None,
        }
    }

    pub(crate) async fn start() -> Self {
        let mut redis = Self::absent();
        redis.launch().await;
        redis
    }

    pub(crate) async fn launch(&mut self) {
        let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let server = Command::new(&program)
            .current_dir(self.directory.path())
            .args(["--port", "0", "--save", "", "--appendonly", "no"])
            .arg("--unixsocket")
            .arg(self.socket())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} can't be started: {error}"));
        self.server = Some(server);
        until("Redis starts", async || {
            UnixStream::connect(self.socket()).await.is_ok()
        })
        .await;
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Sends one command, whose answer must be one line.
    pub(crate) async fn command(&self, command: &str) -> String {
        let talk = async {
            let mut stream = UnixStream::connect(self.socket()).await.unwrap();
            stream
                .write_all(format!("{command}\r\n").as_bytes())
                .await
                .unwrap();
            let mut answer = String::new();
            BufReader::new(stream).read_line(&mut answer).await.unwrap();
            answer.trim_end().to_owned()
        };
        within(command, talk).await
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // Nothing more can be done about a process that can't be killed.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
