//! A plain client that keeps everything it gets.

use std::sync::{Arc, Mutex, PoisonError};

use broker::testing::until;
use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink};
use tokio::{net::TcpStream, sync::Notify};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};
use tokio_util::task::TaskTracker;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[derive(Default)]
struct Got {
    texts: Vec<String>,
    /// The close code, 1006 for a connection that just ended.
    closed: Option<u16>,
}

/// A WebSocket connection, read all the time.
pub struct Client {
    sink: SplitSink<Socket, Message>,
    got: Arc<Mutex<Got>>,
    news: Arc<Notify>,
}

impl Client {
    /// Connects to a server.
    pub async fn connect(port: u16) -> Self {
        Self::try_connect(port)
            .await
            .unwrap_or_else(|error| panic!("can't connect: {error}"))
    }

    /// Connects to a server that may refuse.
    pub async fn try_connect(port: u16) -> Result<Self, Error> {
        let (socket, _) = connect_async(format!("ws://127.0.0.1:{port}/")).await?;
        let (sink, mut stream) = socket.split();
        let got = Arc::<Mutex<Got>>::default();
        let news = Arc::new(Notify::new());
        let client = Self {
            sink,
            got: Arc::clone(&got),
            news: Arc::clone(&news),
        };
        TaskTracker::new().spawn(async move {
            let mut code = 1006;
            while let Some(Ok(message)) = stream.next().await {
                match message {
                    Message::Text(text) => {
                        lock(&got).texts.push(text.as_str().to_owned());
                        news.notify_waiters();
                    }
                    Message::Close(frame) => code = frame.map_or(1005, |frame| frame.code.into()),
                    _ => {}
                }
            }
            lock(&got).closed = Some(code);
        });
        Ok(client)
    }

    /// Sends a text; `false` if the connection is over.
    pub async fn send(&mut self, text: &str) -> bool {
        self.sink.send(Message::text(text)).await.is_ok()
    }

    /// Puts a text where it goes out with the next flush; `false` if the connection is over.
    pub async fn feed(&mut self, text: &str) -> bool {
        self.sink.feed(Message::text(text)).await.is_ok()
    }

    /// Sends what was fed.
    pub async fn flush(&mut self) -> bool {
        self.sink.flush().await.is_ok()
    }

    /// Everything that came so far.
    pub fn texts(&self) -> Vec<String> {
        lock(&self.got).texts.clone()
    }

    /// How much came so far.
    pub fn count(&self) -> usize {
        lock(&self.got).texts.len()
    }

    /// The close code, once the connection is over.
    pub fn closed(&self) -> Option<u16> {
        lock(&self.got).closed
    }

    /// Waits for so many texts, without the polling of tests: for measuring.
    pub async fn received(&self, count: usize) {
        loop {
            let news = self.news.notified();
            if self.count() >= count {
                return;
            }
            news.await;
        }
    }

    /// Waits for so many texts.
    pub async fn until_count(&self, count: usize) -> Vec<String> {
        until(&format!("{count} texts came"), async || {
            (self.count() >= count).then(|| self.texts())
        })
        .await
    }

    /// Waits for the end of the connection.
    pub async fn until_closed(&self) -> u16 {
        until("the connection is closed", async || self.closed()).await
    }
}

fn lock(got: &Mutex<Got>) -> std::sync::MutexGuard<'_, Got> {
    got.lock().unwrap_or_else(PoisonError::into_inner)
}
