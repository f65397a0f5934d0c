//! A TCP proxy between two processes, which can cut its connections or swallow what goes over them.

use std::{
    io,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};
use tokio_util::task::TaskTracker;

/// What happens on the link.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// How often all connections were cut.
    cuts: u64,
    /// Whether bytes vanish.
    swallows: bool,
}

/// A proxy in front of a port that may change, as that of a process that is started again does. It ends with this
/// value.
#[derive(Debug)]
pub struct Link {
    port: u16,
    state: watch::Sender<State>,
}

impl Link {
    /// Starts a proxy on a free port of this machine. While the port behind it is 0, nobody is there.
    pub async fn start(behind: Arc<AtomicU16>, tracker: &TaskTracker) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (state, watched) = watch::channel(State::default());
        tracker.spawn(accept(listener, behind, watched, tracker.clone()));
        Ok(Self { port, state })
    }

    /// Where to connect to.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Closes every connection; new ones are taken.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// From now on bytes vanish, on old connections and new.
    pub fn swallow(&self) {
        self.state.send_modify(|state| state.swallows = true);
    }

    /// Bytes go through again. Connections that lost some are cut.
    pub fn mend(&self) {
        self.state.send_modify(|state| {
            state.swallows = false;
            state.cuts += 1;
        });
    }
}

async fn accept(
    listener: TcpListener,
    behind: Arc<AtomicU16>,
    mut state: watch::Receiver<State>,
    tracker: TaskTracker,
) {
    loop {
        let client = tokio::select! {
            accepted = listener.accept() => accepted,
            changed = state.changed() => if changed.is_err() { return } else { continue },
        };
        let Ok((client, _)) = client else { continue };
        let port = behind.load(Ordering::Acquire);
        tracker.spawn(connect(client, port, state.clone()));
    }
}

async fn connect(client: TcpStream, port: u16, state: watch::Receiver<State>) {
    // A cut that comes while this is being connected cuts it too.
    let cuts = state.borrow().cuts;
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
        return;
    };
    // Only the latency of small messages is at stake.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // When one direction is over, both are: neither Redis nor a WebSocket lives on half a connection.
    tokio::select! {
        () = pump(from_client, to_server, state.clone(), cuts) => {}
        () = pump(from_server, to_client, state, cuts) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: watch::Receiver<State>,
    cuts: u64,
) {
    let now = state.clone();
    let mut cut = state;
    let copying = async {
        let mut bytes = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            let swallows = now.borrow().swallows;
            if !swallows && to.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        // A cut comes first: what a mended link had swallowed is followed by nothing.
        biased;
        // Also over when the link itself is gone.
        _ = cut.wait_for(|state| state.cuts != cuts) => {}
        () = copying => {}
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        sync::{Arc, atomic::AtomicU16},
    };

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };
    use tokio_util::task::TaskTracker;

    use super::Link;

    /// A link, and both ends of a connection over it.
    async fn linked() -> (Link, TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = Arc::new(AtomicU16::new(listener.local_addr().unwrap().port()));
        let link = Link::start(port, &TaskTracker::new()).await.unwrap();
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, link.port()))
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (link, client, server)
    }

    #[tokio::test]
    async fn bytes_go_both_ways_until_the_cut() {
        let (link, mut client, mut server) = linked().await;
        client.write_all(b"ping").await.unwrap();
        let mut bytes = [0; 4];
        server.read_exact(&mut bytes).await.unwrap();
        server.write_all(b"pong").await.unwrap();
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"pong");
        link.cut();
        assert!(matches!(client.read(&mut bytes).await, Ok(0) | Err(_)));
        assert!(matches!(server.read(&mut bytes).await, Ok(0) | Err(_)));
    }

    #[tokio::test]
    async fn what_is_swallowed_never_comes() {
        let (link, mut client, mut server) = linked().await;
        link.swallow();
        client.write_all(b"lost").await.unwrap();
        link.mend();
        let mut bytes = Vec::new();
        // The connection is cut; whatever came before that must be nothing.
        let _ = server.read_to_end(&mut bytes).await;
        assert!(bytes.is_empty());
    }
}
