//! Why a request is refused, as RFC 9457 has it: `application/problem+json`.
//!
//! Holds a code for programs and a sentence for people; never a password or an address of Redis with one.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tracing::warn;
use utoipa::ToSchema;

use crate::fault::sentence;

/// How many seconds a client that can't be served now is asked to wait.
const RETRY_AFTER: u64 = 2;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the code says it all.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name of the status.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong, for people.
    detail: String,
    /// What is wrong, for programs.
    code: &'static str,
    /// After how many seconds another try makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let retry = matches!(
            status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        );
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            retry_after: retry.then_some(RETRY_AFTER),
        }
    }

    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    pub(super) fn busy() -> Self {
        let why = "as many streams and bulk changes go on as may";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", why)
    }

    pub(super) fn no_route() -> Self {
        Self::not_found("there is nothing at this address")
    }

    pub(super) fn method() -> Self {
        let why = "this address does not know the method; `Allow` says which it knows";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", why)
    }

    /// `sent`: there was a token, and it is another.
    pub(super) fn unauthorized(sent: bool) -> Self {
        let why = if sent {
            "this is not the admin token"
        } else {
            "send the admin token as `Authorization: Bearer …`"
        };
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", why)
    }

    /// What an error of Redis means here.
    pub(super) fn redis(error: &broker::Error, address: &str) -> Self {
        let why = sentence(error, address);
        if error.is_temporary() || error.is_out_of_memory() {
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", why);
        }
        warn!(%error, "a request could not be answered");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", why)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, text).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}
