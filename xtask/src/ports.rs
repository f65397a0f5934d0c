//! Free ports, found before the processes that will listen on them are started.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context;

use crate::say;

/// Hands out ports. It holds each until it is dropped, so that none is handed out twice.
#[derive(Default)]
pub(crate) struct Ports {
    held: Vec<TcpListener>,
}

impl Ports {
    /// The wanted port where it is free, else another one, which is said.
    pub(crate) fn wanted(&mut self, port: u16, name: &str) -> anyhow::Result<SocketAddr> {
        if let Ok(address) = self.hold(port) {
            return Ok(address);
        }
        let address = self.any()?;
        say::line(format!(
            "port {port} is taken: {name} gets {}",
            address.port()
        ));
        Ok(address)
    }

    /// Any free port.
    pub(crate) fn any(&mut self) -> anyhow::Result<SocketAddr> {
        self.hold(0).context("no free port on 127.0.0.1")
    }

    fn hold(&mut self, port: u16) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        self.held.push(listener);
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_gives_way_to_a_free_one() {
        let mut ports = Ports::default();
        let first = ports.any().unwrap();
        let second = ports.wanted(first.port(), "second").unwrap();
        assert_ne!(first, second);
    }
}
