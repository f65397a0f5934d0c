//! The handshake that turns an HTTP request into a WebSocket.
//!
//! It hands out the socket itself, without the layers that a framework would leave around it: the connection
//! writes batches of encoded frames, and each layer would cost memory on every connection.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A valid request for a WebSocket.
#[derive(Debug)]
pub(crate) struct Upgrade {
    accept_key: String,
    on_upgrade: OnUpgrade,
}

/// A socket after the handshake, and what the client sent right behind its request.
pub(crate) struct Upgraded {
    pub(crate) stream: TcpStream,
    pub(crate) part: Vec<u8>,
}

/// What a client asks to speak. One that asks for nothing, or for nothing known, is answered with nothing: browsers
/// refuse a subprotocol that they did not ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subprotocol {
    None,
    /// JSON, which is spoken anyway.
    Json,
    /// Which is not spoken here.
    Protobuf,
    /// The same, but only the address says so: no header may answer that.
    ProtobufInQuery,
}

impl Subprotocol {
    /// The first that is known of those that a session's client asks for.
    pub(crate) fn asked_for(request: &Request) -> Self {
        let headers = request.headers();
        if has_token(headers, &header::SEC_WEBSOCKET_PROTOCOL, "centrifuge-json") {
            return Self::Json;
        }
        let name = &header::SEC_WEBSOCKET_PROTOCOL;
        if has_token(headers, name, "centrifuge-protobuf") {
            return Self::Protobuf;
        }
        let mut query = request.uri().query().unwrap_or("").split('&');
        if query.any(|pair| matches!(pair, "cf_protocol=protobuf" | "format=protobuf")) {
            return Self::ProtobufInQuery;
        }
        Self::None
    }

    /// What it is called on the wire.
    const fn name(self) -> Option<&'static str> {
        match self {
            Self::None | Self::ProtobufInQuery => None,
            Self::Json => Some("centrifuge-json"),
            Self::Protobuf => Some("centrifuge-protobuf"),
        }
    }
}

/// Why a request is no request for a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotWebSocket {
    #[error("this address speaks WebSocket: send `Connection: Upgrade` and `Upgrade: websocket`")]
    NoUpgrade,
    #[error("only version 13 of the WebSocket protocol is spoken here")]
    Version,
    #[error("the header Sec-WebSocket-Key is missing or wrong")]
    Key,
    #[error("this connection can't be upgraded")]
    Transport,
}

/// Whether the client asks for a WebSocket at all, be it in a valid way or not.
pub(crate) fn is_asked_for(headers: &HeaderMap) -> bool {
    has_token(headers, &header::UPGRADE, "websocket")
}

impl Upgrade {
    /// Checks the request.
    pub(crate) fn of(request: &mut Request) -> Result<Self, NotWebSocket> {
        let headers = request.headers();
        if !is_asked_for(headers) || !has_token(headers, &header::CONNECTION, "upgrade") {
            return Err(NotWebSocket::NoUpgrade);
        }
        if headers
            .get(header::SEC_WEBSOCKET_VERSION)
            .is_none_or(|version| version != "13")
        {
            return Err(NotWebSocket::Version);
        }
        // Sixteen bytes in base 64.
        let key = headers
            .get(header::SEC_WEBSOCKET_KEY)
            .filter(|key| key.len() == 24);
        let accept_key = derive_accept_key(key.ok_or(NotWebSocket::Key)?.as_bytes());
        let on_upgrade = request
            .extensions_mut()
            .remove()
            .ok_or(NotWebSocket::Transport)?;
        Ok(Self {
            accept_key,
            on_upgrade,
        })
    }

    /// The answer, and the socket once the answer is sent; no socket if the client was gone by then.
    pub(crate) fn accept(
        self,
        subprotocol: Subprotocol,
    ) -> (Response, impl Future<Output = Option<Upgraded>> + Send) {
        let headers = [
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (
                header::SEC_WEBSOCKET_ACCEPT,
                HeaderValue::from_str(&self.accept_key).expect("base 64 can stand in a header"),
            ),
        ];
        let mut response = (StatusCode::SWITCHING_PROTOCOLS, headers).into_response();
        if let Some(name) = subprotocol.name() {
            let name = HeaderValue::from_static(name);
            response
                .headers_mut()
                .insert(header::SEC_WEBSOCKET_PROTOCOL, name);
        }
        let on_upgrade = self.on_upgrade;
        let socket = async move {
            let parts = on_upgrade
                .await
                .ok()?
                .downcast::<TokioIo<TcpStream>>()
                .ok()?;
            let stream = parts.io.into_inner();
            // A small frame must not wait for the acknowledgement of the one before it.
            stream.set_nodelay(true).ok()?;
            // A copy, because even when it is empty it holds on to the whole buffer of the request.
            let part = parts.read_buf.to_vec();
            Some(Upgraded { stream, part })
        };
        (response, socket)
    }
}

impl IntoResponse for NotWebSocket {
    fn into_response(self) -> Response {
        let (status, name, value) = match self {
            Self::NoUpgrade => (StatusCode::UPGRADE_REQUIRED, header::UPGRADE, "websocket"),
            Self::Version => (
                StatusCode::UPGRADE_REQUIRED,
                header::SEC_WEBSOCKET_VERSION,
                "13",
            ),
            Self::Key | Self::Transport => (StatusCode::BAD_REQUEST, header::CONNECTION, "close"),
        };
        (status, [(name, value)], format!("{self}\n")).into_response()
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, extract::Request};

    use super::{NotWebSocket, Upgrade};

    fn refused(headers: &[(&str, &str)]) -> NotWebSocket {
        let builder = headers.iter().fold(Request::builder(), |b, (name, value)| {
            b.header(*name, *value)
        });
        Upgrade::of(&mut builder.body(Body::empty()).unwrap()).unwrap_err()
    }

    #[test]
    fn each_header_is_needed() {
        let upgrade = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
        ];
        let version = ("sec-websocket-version", "13");
        let key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(refused(&[]), NotWebSocket::NoUpgrade);
        assert_eq!(
            refused(&[upgrade[0], version, key]),
            NotWebSocket::NoUpgrade
        );
        assert_eq!(
            refused(&[upgrade[1], version, key]),
            NotWebSocket::NoUpgrade
        );
        assert_eq!(
            refused(&[upgrade[0], upgrade[1], key]),
            NotWebSocket::Version
        );
        let old = ("sec-websocket-version", "8");
        assert_eq!(
            refused(&[upgrade[0], upgrade[1], old, key]),
            NotWebSocket::Version
        );
        let short = ("sec-websocket-key", "abc");
        assert_eq!(
            refused(&[upgrade[0], upgrade[1], version, short]),
            NotWebSocket::Key
        );
        // All is well but for the transport, which this request does not have.
        assert_eq!(
            refused(&[upgrade[0], upgrade[1], version, key]),
            NotWebSocket::Transport
        );
    }
}
