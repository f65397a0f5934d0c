//! Where a process may listen: loopback, unless someone said otherwise.
//!
//! Without authentication anyone who reaches the address can use it, so an open address is a decision that is
//! asked for. Never accepts a connection.

use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tracing::warn;

/// Who may reach this process.
#[derive(clap::Args, Clone, Debug)]
pub struct ExposureArgs {
    /// Listen on addresses that other machines reach, although no authentication is set.
    #[arg(long, env = "INSECURE", default_value_t = false)]
    pub insecure: bool,
}

/// Why an address is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExposureError {
    /// Other machines may reach the address, and nothing asks who they are.
    #[error(
        "refusing to listen on {0} without authentication: use a loopback address such as 127.0.0.1:{port}, or \
         allow it with --insecure (INSECURE=true)",
        port = .0.port()
    )]
    NotLoopback(SocketAddr),
}

/// Refuses an address that other machines may reach, unless `insecure`.
pub fn check_address(addr: SocketAddr, insecure: bool) -> Result<(), ExposureError> {
    // `::ffff:127.0.0.1` is loopback too.
    if insecure || addr.ip().to_canonical().is_loopback() {
        Ok(())
    } else {
        Err(ExposureError::NotLoopback(addr))
    }
}

/// Binds the address if it is allowed. The error names the address and says when it is in use.
pub async fn bind(addr: SocketAddr, insecure: bool) -> anyhow::Result<TcpListener> {
    check_address(addr, insecure)?;
    TcpListener::bind(addr)
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => anyhow!("{addr} is already in use by another process"),
            _ => anyhow!(error).context(format!("could not listen on {addr}")),
        })
}

/// Like [`bind`], but moves to a free port when the address is in use and was not `explicit`ly asked for.
///
/// So that a second process started by hand on the same machine just works.
pub async fn bind_or_free(
    addr: SocketAddr,
    insecure: bool,
    explicit: bool,
) -> anyhow::Result<TcpListener> {
    if explicit {
        return bind(addr, insecure).await;
    }
    check_address(addr, insecure)?;
    match TcpListener::bind(addr).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let listener = bind(SocketAddr::new(addr.ip(), 0), insecure).await?;
            let actual = listener
                .local_addr()
                .context("a bound socket has no address")?;
            warn!("{addr} is in use; listening on {actual} instead");
            Ok(listener)
        }
        result => result.with_context(|| format!("could not listen on {addr}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_loopback_without_being_told() {
        for open in [
            "0.0.0.0:3000",
            "192.168.1.2:80",
            "[::]:3000",
            "[::ffff:10.0.0.1]:1",
        ] {
            let error = check_address(addr(open), false).unwrap_err();
            assert!(error.to_string().contains("--insecure"), "{error}");
            assert!(check_address(addr(open), true).is_ok());
        }
        for local in [
            "127.0.0.1:0",
            "127.8.8.8:1",
            "[::1]:3000",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(check_address(addr(local), false).is_ok(), "{local}");
        }
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let first = bind(addr("127.0.0.1:0"), false).await.unwrap();
        let taken = first.local_addr().unwrap();
        let error = bind(taken, false).await.unwrap_err().to_string();
        assert!(
            error.contains(&taken.to_string()) && error.contains("in use"),
            "{error}"
        );
        assert!(bind_or_free(taken, false, true).await.is_err());
    }

    #[tokio::test]
    async fn a_default_address_in_use_gives_way_to_a_free_port() {
        let first = bind(addr("127.0.0.1:0"), false).await.unwrap();
        let taken = first.local_addr().unwrap();
        let second = bind_or_free(taken, false, false)
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        assert_eq!(second.ip(), taken.ip());
        assert_ne!(second.port(), taken.port());
    }
}
