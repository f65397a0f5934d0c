//! The Redis that commands start for themselves: how it is started, and whether it answers.
//!
//! It listens on loopback, on a port of its own, and never touches a Redis that runs already.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

const PING_TIMEOUT: Duration = Duration::from_millis(500);

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
        ["--auto-aof-rewrite-min-size", "256mb"],
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

#[cfg(test)]
mod tests {
    use super::*;

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
