//! One process of the system: started, watched, signalled, killed.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use broker::testing::{PATIENCE, free_port, tied};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A running binary of this workspace, with its health endpoints on a port of its own. It is killed when this value
/// is dropped, or when the thread that started it ends.
pub struct Process {
    name: String,
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Process {
    /// Starts a binary with `option` naming the address that it serves on.
    ///
    /// Tries another port where the chosen one was taken meanwhile.
    pub fn start(
        binary: &str,
        name: &str,
        logs: &Path,
        option: &str,
        arguments: &[String],
    ) -> Self {
        let log = logs.join(format!("{name}.log"));
        let output = File::create(&log).expect("the log can be made");
        let port = free_port();
        let mut command = command(binary);
        command
            .arg(option)
            .arg(format!("127.0.0.1:{port}"))
            .args(arguments)
            .env("LOG_FORMAT", "json")
            .env(
                "RUST_LOG",
                std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned()),
            )
            // Whoever runs the tests may export traces of their own.
            .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{binary} does not start: {error}"));
        Self {
            name: name.to_owned(),
            child,
            port,
            log,
        }
    }

    /// Where it serves: WebSocket and health for a server, health for the others.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The process' id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The status line's code and the body of a GET request, if it answers.
    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        get(self.port, path).await
    }

    /// The status line's code and the body of a POST request of JSON, with a key of the server API, if it answers.
    pub async fn post(&self, path: &str, key: &str, body: &str) -> Option<(u16, String)> {
        let headers = format!(
            "Content-Type: application/json\r\nX-API-Key: {key}\r\nContent-Length: {}\r\n",
            body.len()
        );
        request(self.port, &format!("POST {path}"), &headers, body).await
    }

    /// How it ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the process can be asked")
    }

    /// Waits until `/readyz` answers with this code.
    pub async fn until_ready(&mut self, code: u16) {
        let start = Instant::now();
        loop {
            let answer = self.get("/readyz").await;
            if answer
                .as_ref()
                .is_some_and(|(answered, _)| *answered == code)
            {
                return;
            }
            let over = self.child.try_wait().expect("the process can be asked");
            assert!(
                over.is_none() && start.elapsed() < PATIENCE,
                "{} does not answer {code} but {answer:?}, {over:?}; it logged:\n{}",
                self.name,
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits"));
        kill(pid, signal).expect("the process takes a signal");
    }

    /// Ends it as a power failure would.
    pub fn kill(&mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process can be waited for");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the process can be asked") {
                return status;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{} does not end; it logged:\n{}",
                self.name,
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks it to stop and wants it to end well.
    pub async fn terminate(&mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.ended().await;
        assert!(
            status.success(),
            "{} ended with {status}; it logged:\n{}",
            self.name,
            self.log()
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of {}:\n{}", self.name, self.log());
        }
    }
}

/// The status line's code and the body of a GET request to a port of this machine, if anyone answers in two seconds.
pub(crate) async fn get(port: u16, path: &str) -> Option<(u16, String)> {
    request(port, &format!("GET {path}"), "", "").await
}

async fn request(port: u16, what: &str, headers: &str, body: &str) -> Option<(u16, String)> {
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let request = format!(
            "{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let code = answer.split(' ').nth(1)?.parse().ok()?;
        let body = answer.split_once("\r\n\r\n")?.1.to_owned();
        Some((code, body))
    };
    tokio::time::timeout(Duration::from_secs(2), exchange)
        .await
        .ok()
        .flatten()
}

/// A command of a binary of this workspace, whose process is killed when the thread that started it ends.
pub fn command(binary: &str) -> std::process::Command {
    tied(path(binary).to_str().expect("the path is text"))
}

/// A binary of this workspace: it lies beside the one that asks, or one folder up if that is a test.
fn path(binary: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this binary has a path");
    let folders = own.ancestors().skip(1).take(2);
    let candidates: Vec<_> = folders.map(|folder| folder.join(binary)).collect();
    candidates.iter().find(|path| path.exists()).cloned().unwrap_or_else(|| {
        panic!("none of {candidates:?} exists: run `cargo build --workspace --bins`, or `cargo xtask test`")
    })
}
