//! Asks a process whether it is ready, over plain HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(1);

/// True when `/readyz` at this address answers 200.
pub(crate) fn is_ready(address: SocketAddr) -> bool {
    status_line(address).is_ok_and(|line| &line[8..] == b" 200")
}

/// As far as the status: `HTTP/1.1 200`.
fn status_line(address: SocketAddr) -> std::io::Result<[u8; 12]> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut line = [0; 12];
    stream.read_exact(&mut line)?;
    // Read to the end, so that the process sees no broken connection.
    let _ = stream.take(65_536).read_to_end(&mut Vec::new());
    Ok(line)
}
