//! A script that drives an SDK: it gets its settings as JSON, says what happens a line at a time, and ends with a report.

use std::process::{Child, ChildStdin, Stdio};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    time::Duration,
};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::mpsc;

use super::runtime::Runtime;

/// How long a script may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running script. It ends with this value.
pub struct Script {
    child: Child,
    input: ChildStdin,
    lines: mpsc::Receiver<String>,
}

impl Script {
    /// Starts a script of `tests/sdk`.
    pub fn start(runtime: Runtime, name: &str, settings: &Value) -> Self {
        let mut child = runtime
            .command(name)
            .arg(settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("{runtime:?} does not start: {error}"));
        let input = child.stdin.take().expect("it was piped");
        let output = child.stdout.take().expect("it was piped");
        let (sender, lines) = mpsc::channel(1024);
        // Ends with the script's output.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if line.is_ok_and(|line| sender.blocking_send(line).is_err()) {
                    return;
                }
            }
        });
        Self {
            child,
            input,
            lines,
        }
    }

    /// What it says next.
    pub async fn line(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
        let line = line.unwrap_or_else(|_| panic!("the script says nothing for {PATIENCE:?}"));
        let line = line.unwrap_or_else(|| panic!("the script ended: {:?}", self.child.wait()));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Waits until it says that a count has reached this number.
    pub async fn until(&mut self, what: &str, count: u64) {
        while self.line().await[what].as_u64().is_none_or(|n| n < count) {}
    }

    /// Says something to it.
    pub fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the script reads");
    }

    /// What it reports in the end, if it ends well.
    pub async fn report<T: DeserializeOwned>(mut self) -> T {
        let report = loop {
            let mut line = self.line().await;
            if let Some(report) = line.get_mut("report") {
                break report.take();
            }
        };
        let status = self.child.wait().expect("it can be waited for");
        assert!(status.success(), "the script ended with {status}");
        serde_json::from_value(report.clone()).unwrap_or_else(|error| panic!("{report}: {error}"))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
