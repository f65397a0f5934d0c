//! Fetches a set of keys, with the HTTP/1 client of the hyper that serves requests here anyway.
//!
//! One connection each time: sets are fetched minutes apart. Follows no redirect, takes no longer and reads no more
//! than it is allowed to.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ACCEPT, HOST};
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::key_url::KeyUrl;

/// How long it may take, from asking for the address of the name to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a set may be.
pub(super) const MAX_SET_BYTES: usize = 256 * 1024;

/// Why a set was not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum FetchError {
    #[error("it can't be reached")]
    Connect(#[source] std::io::Error),
    #[error("it was not asked as HTTP wants it")]
    Request(#[source] axum::http::Error),
    #[error("it does not speak HTTP")]
    Http(#[source] hyper::Error),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("its answer broke off, or is longer than {MAX_SET_BYTES} bytes")]
    Body,
    #[error("it gave no answer in time")]
    Late,
}

/// What is at the address.
pub(super) async fn get(url: &KeyUrl) -> Result<Bytes, FetchError> {
    let limited = tokio::time::timeout(PATIENCE, exchange(url)).await;
    limited.unwrap_or(Err(FetchError::Late))
}

async fn exchange(url: &KeyUrl) -> Result<Bytes, FetchError> {
    let stream = TcpStream::connect((url.host.as_str(), url.port)).await;
    let stream = TokioIo::new(stream.map_err(FetchError::Connect)?);
    let (mut sender, connection) = http1::handshake(stream).await.map_err(FetchError::Http)?;
    let request = Request::get(&url.path)
        .header(HOST, &url.authority)
        .header(ACCEPT, "application/json")
        .body(Body::empty())
        .map_err(FetchError::Request)?;
    let answer = async move {
        let response = sender
            .send_request(request)
            .await
            .map_err(FetchError::Http)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let body = axum::body::to_bytes(Body::new(response.into_body()), MAX_SET_BYTES).await;
        body.map_err(|_| FetchError::Body)
    };
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answer = answer.as_mut() => return answer,
        ended = connection => ended.map_err(FetchError::Http)?,
    }
    // The connection may end with the answer's last byte.
    answer.await
}
