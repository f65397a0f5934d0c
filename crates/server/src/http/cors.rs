//! Which web pages may use the API: the same rule as for a WebSocket.
//!
//! Nothing is sent along by a browser of itself, such as a cookie, so a page of another origin can do what its own token
//! allows and no more.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::debug;

use super::{Api, Problem};

/// How long a browser may remember what it was told, in seconds.
const REMEMBER: HeaderValue = HeaderValue::from_static("600");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
const TAKEN: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, last-event-id");
const SHOWN: HeaderValue = HeaderValue::from_static("location, retry-after");

/// Refuses pages that may not use the API, and tells browsers of those that may.
pub(super) async fn check(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut allowed = api.origins.check(request.headers());
    if origin.is_none() && !api.shared.access.needs_token() {
        // Where no token protects it, neither may a page read whose own name was pointed here.
        allowed = allowed.and_then(|()| api.origins.check_host(request.headers()));
    }
    if let Err(error) = allowed {
        debug!(%error, "refused");
        return Problem::new(StatusCode::FORBIDDEN, "origin_refused", error.to_string())
            .into_response();
    }
    let mut response = match &origin {
        Some(_) if is_preflight(&request) => preflight(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN);
    }
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    secure(headers);
    response
}

fn is_preflight(request: &Request) -> bool {
    let asked = header::ACCESS_CONTROL_REQUEST_METHOD;
    request.method() == Method::OPTIONS && request.headers().contains_key(asked)
}

fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, TAKEN),
        (header::ACCESS_CONTROL_MAX_AGE, REMEMBER),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Answers are a client's own: nobody keeps them, and no browser takes them for anything else.
fn secure(headers: &mut HeaderMap) {
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    let never = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(never);
}
