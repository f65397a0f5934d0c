//! Somebody who asks the manager over HTTP.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use broker::testing::until;
use serde_json::Value;

use crate::rig::{Process, Rig};

/// A manager on a free port, and how it is asked.
pub(crate) async fn manager(rig: &Rig, words: &[&str]) -> (Process, Http) {
    let mut all = vec!["--interval-ms", "50"];
    if !words.iter().any(|word| word.starts_with("--listen")) {
        all.push("--listen=127.0.0.1:0");
    }
    all.extend(words);
    let mut command = rig.command(&all);
    command.env("LOG_FORMAT", "json");
    let process = Process::start(command);
    let address = until("the manager says where it listens", async || {
        let log = process.err();
        let (_, rest) = log.split_once(r#""health":""#)?;
        Some(rest.split('"').next()?.to_owned())
    })
    .await;
    let http = Http {
        headers: vec![("Host".to_owned(), address.clone())],
        address,
    };
    (process, http)
}

#[derive(Clone)]
pub(crate) struct Http {
    pub(crate) address: String,
    headers: Vec<(String, String)>,
}

#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answered {
    /// What was asked for.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert!(self.status < 300, "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Fails unless it is a refusal with this status and code.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(
            self.head.contains("content-type: application/problem+json"),
            "{self:?}"
        );
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(
            (&problem["code"], &problem["status"]),
            (&code.into(), &status.into())
        );
    }
}

impl Http {
    /// The same, with another header, or none of this name.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut one = self.clone();
        one.headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        if !value.is_empty() {
            one.headers.push((name.to_owned(), value.to_owned()));
        }
        one
    }

    pub(crate) fn bearer(&self, token: &str) -> Self {
        self.with("Authorization", &format!("Bearer {token}"))
    }

    /// Sends a request, and leaves its answer to be read.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in &self.headers {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        write!(request, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        // What is refused may not be read to its end.
        let _ = stream.write_all(request.as_bytes());
        BufReader::new(stream)
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Answered {
        let mut answer = Vec::new();
        self.send(method, path, body)
            .read_to_end(&mut answer)
            .unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        let body = if head.contains("transfer-encoding: chunked") {
            unchunked(body)
        } else {
            body.to_owned()
        };
        Answered {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answered {
        self.ask("GET", path, "")
    }

    /// A change, with a body of JSON.
    pub(crate) fn post(&self, path: &str, body: &str) -> Answered {
        self.with("Content-Type", "application/json")
            .ask("POST", path, body)
    }

    /// Lines of an answer that goes on, until one holds this text.
    pub(crate) fn lines_until(&self, path: &str, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for line in self.send("GET", path, "").lines() {
            let line = line.unwrap();
            let is_last = line.contains(text);
            lines.push(line);
            if is_last {
                return lines;
            }
        }
        panic!("it ended without {text}: {lines:?}");
    }
}

fn unchunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        text.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    text
}
