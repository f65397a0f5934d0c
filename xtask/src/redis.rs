//! The Redis that commands start for themselves: found, installed when missing, private.
//!
//! It listens on loopback, on a port of its own, and never touches a Redis that runs already.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::install;
use crate::workspace::find_program;

/// Names the server to use, for those who have several.
pub(crate) const SERVER_VARIABLE: &str = "REDIS_SERVER";
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
/// Scripts and streams as they are used here came with it.
const OLDEST_MAJOR: u32 = 7;
const PING_TIMEOUT: Duration = Duration::from_millis(500);

/// The path of a Redis (or Valkey) server of a version that will do, after installing it where it is missing.
pub(crate) fn server() -> anyhow::Result<PathBuf> {
    if find().is_none() {
        install::redis()?;
    }
    let path = find().context("Redis was installed, but is not on PATH")?;
    let output = Command::new(&path)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not run {}", path.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match major_version(&text) {
        Some(major) if major >= OLDEST_MAJOR => Ok(path),
        Some(major) => bail!(
            "{} is version {major}; Redis 7.0 or Valkey 7.2 or later is needed. Install one, or set {SERVER_VARIABLE} \
             to it",
            path.display(),
        ),
        None => bail!(
            "{} does not tell its version: `{}`",
            path.display(),
            text.trim()
        ),
    }
}

fn find() -> Option<PathBuf> {
    std::env::var_os(SERVER_VARIABLE)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| PROGRAMS.into_iter().find_map(find_program))
}

/// The arguments of a private server that keeps its data in `folder`.
pub(crate) fn arguments(port: u16, folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy();
    let port = port.to_string();
    [
        ["--port", &port],
        ["--bind", "127.0.0.1"],
        ["--daemonize", "no"],
        // What it says in between is of no use to someone who works on this project.
        ["--loglevel", "warning"],
        ["--dir", &folder],
        ["--appendonly", "yes"],
        ["--appendfsync", "everysec"],
        ["--save", ""],
        ["--maxmemory-policy", "noeviction"],
    ]
    .concat()
    .into_iter()
    .map(str::to_owned)
    .collect()
}

/// True when a Redis on this port answers, and is not still loading its data.
pub(crate) fn answers(port: u16) -> bool {
    ping(port).is_ok_and(|answer| answer.starts_with(b"+PONG"))
}

fn ping(port: u16) -> std::io::Result<[u8; 5]> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PING_TIMEOUT)?;
    stream.set_read_timeout(Some(PING_TIMEOUT))?;
    stream.set_write_timeout(Some(PING_TIMEOUT))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// `7` from `Redis server v=7.0.15 sha=…`, and the same from Valkey.
fn major_version(text: &str) -> Option<u32> {
    let version = text.split_once("v=")?.1;
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(
            major_version("Redis server v=7.0.15 sha=0:0 malloc=jemalloc bits=64"),
            Some(7)
        );
        assert_eq!(major_version("Valkey server v=8.1.1 sha=0:0"), Some(8));
        assert_eq!(major_version("command not found"), None);
    }

    #[test]
    fn only_a_pong_is_an_answer() {
        for (says, expected) in [
            ("+PONG\r\n", true),
            ("-LOADING Redis is loading\r\n", false),
        ] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                stream.read_exact(&mut [0; 6]).unwrap();
                stream.write_all(says.as_bytes()).unwrap();
            });
            assert_eq!(answers(port), expected);
            server.join().unwrap();
        }
    }
}
