//! A gateway under test, and clients of it.

use broker::testing::TestRedis;
use std::{net::SocketAddr, process::ExitCode, time::Duration};

use clap::Parser as _;
use futures_util::{SinkExt as _, StreamExt as _};
use server::{App, ServerArgs};
use service::Lifecycle;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, http::Response},
};

use crate::{until, within};

pub(crate) struct Gateway {
    address: SocketAddr,
    life: Lifecycle,
}

impl Gateway {
    /// Starts one that may or may not have its Redis.
    pub(crate) async fn start(redis: &TestRedis, settings: &[&str]) -> Self {
        let url = format!("--redis-url={}", redis.url());
        let mut line = vec!["server", "--listen=127.0.0.1:0", url.as_str()];
        if !settings
            .iter()
            .any(|setting| setting.starts_with("--drain-window-ms"))
        {
            line.push("--drain-window-ms=0");
        }
        line.extend(settings);
        let args = ServerArgs::parse_from(line);
        let life = Lifecycle::new(args.shutdown.grace()).unwrap();
        let app = App::build(args).await.unwrap();
        let address = app.address();
        app.spawn(&life.handle());
        Self { address, life }
    }

    /// Starts one and waits until it is ready.
    pub(crate) async fn ready(redis: &TestRedis, settings: &[&str]) -> Self {
        let gateway = Self::start(redis, settings).await;
        gateway.becomes_ready().await;
        gateway
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn becomes_ready(&self) {
        until("ready", async || self.get("/readyz").await.0 == 200).await;
    }

    /// Does what the first signal does.
    pub(crate) fn stop(&self) {
        self.life.soft().cancel();
    }

    /// Stops it and waits for its end.
    pub(crate) async fn end(self) {
        self.stop();
        let code = within("the end", self.life.run()).await;
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
    }

    /// The answer to a request: status, head and body.
    pub(crate) async fn get(&self, path: &str) -> (u16, String, String) {
        self.request("GET", path, "", "").await
    }

    /// The same for a request with a JSON body, and with more header lines.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &str,
        body: &serde_json::Value,
    ) -> (u16, String, String) {
        self.post_text(path, headers, &body.to_string()).await
    }

    /// The same for any body.
    pub(crate) async fn post_text(
        &self,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (u16, String, String) {
        let length = body.len();
        let headers =
            format!("{headers}Content-Type: application/json\r\nContent-Length: {length}\r\n");
        self.request("POST", path, &headers, body).await
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (u16, String, String) {
        let talk = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let address = self.address;
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n{body}"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer = within(path, talk).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    /// The value of a metric, with its labels if it has any.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let (_, _, body) = self.get("/metrics").await;
        let line = body.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0, |value| value.trim().parse().unwrap())
    }

    pub(crate) async fn connect(&self) -> Client {
        self.try_connect("/", &[]).await.unwrap()
    }

    /// The answer to a handshake that must be refused.
    pub(crate) async fn refusal(&self, headers: &[(&'static str, &str)]) -> Response<String> {
        match self.try_connect("/ws", headers).await {
            Err(Error::Http(response)) => {
                response.map(|body| String::from_utf8(body.unwrap_or_default()).unwrap())
            }
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("connected"),
        }
    }

    pub(crate) async fn try_connect(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Client, Error> {
        let socket = TcpSocket::new_v4().unwrap();
        // So that little is needed to fill the buffers between the two.
        socket.set_recv_buffer_size(8 * 1024).unwrap();
        let stream = within("connect", socket.connect(self.address)).await?;
        let mut request = format!("ws://{}{path}", self.address).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse()?);
        }
        let (socket, _) = within("handshake", client_async(request, stream)).await?;
        Ok(Client { socket })
    }
}

pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
}

impl Client {
    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        within("send", self.socket.send(message.into()))
            .await
            .unwrap();
    }

    /// The next text.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            match self.next().await {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code with which the connection is closed, texts before it aside.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.next().await {
                return frame.map_or(1005, |frame| frame.code.into());
            }
        }
    }

    /// Fails if anything comes within `time`, and answers pings meanwhile.
    pub(crate) async fn quiet(&mut self, time: Duration) {
        let next = async {
            loop {
                match self.socket.next().await.unwrap().unwrap() {
                    Message::Ping(_) | Message::Pong(_) => {}
                    other => return other,
                }
            }
        };
        if let Ok(message) = tokio::time::timeout(time, next).await {
            panic!("{message:?}");
        }
    }

    async fn next(&mut self) -> Message {
        within("a message", self.socket.next())
            .await
            .unwrap()
            .unwrap()
    }
}
