//! The server API, as Centrifugo has it: for backends that publish into rooms and steer sessions.
//!
//! `POST /api/<method>` with a key. What concerns sessions goes to all servers; each does it for its own.

mod handlers;
mod nodes;
mod request;
mod rooms;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use serde_json::value::RawValue;

pub(crate) use nodes::NodesTask;

use crate::{auth::Secret, client::Shared};

/// The longest request, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// What it takes to serve the API.
pub(crate) struct Api {
    pub(crate) shared: Arc<Shared>,
    pub(crate) nodes: broker::Nodes,
    /// Without one there is no API.
    pub(crate) key: Option<Secret>,
}

/// The routes of the API.
pub(crate) fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/api/{method}", post(call))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(api)
}

async fn call(
    State(api): State<Arc<Api>>,
    Path(method): Path<String>,
    request: Request,
) -> Response {
    let Some(key) = &api.key else {
        let why = "the server API is off: set --api-key\n";
        return (StatusCode::NOT_FOUND, why).into_response();
    };
    if !presented(&request).is_some_and(|given| key.is(given)) {
        return (StatusCode::UNAUTHORIZED, "the key is missing or wrong\n").into_response();
    }
    let Ok(body) = axum::body::to_bytes(request.into_body(), MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let Some(body) = object(&body) else {
        return (StatusCode::BAD_REQUEST, "the body must be a JSON object\n").into_response();
    };
    match api.method(&method, body).await {
        Some(Ok(result)) => json(&format!(r#"{{"result":{}}}"#, result.get())),
        Some(Err(error)) => json(&format!(r#"{{"error":{}}}"#, error.json())),
        None => (StatusCode::NOT_FOUND, "there is no such method\n").into_response(),
    }
}

/// The body as JSON; an empty one means that there are no parameters.
fn object(body: &Bytes) -> Option<&RawValue> {
    if body.is_empty() {
        return serde_json::from_str("{}").ok();
    }
    let json: &RawValue = serde_json::from_slice(body).ok()?;
    json.get().starts_with('{').then_some(json)
}

/// The key of a request: in a header, or in its query, as Centrifugo takes it.
fn presented(request: &Request) -> Option<&str> {
    let headers = request.headers();
    let own = headers.get("x-api-key").and_then(|key| key.to_str().ok());
    let authorization = headers.get(header::AUTHORIZATION);
    let scheme = authorization
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("apikey"))
        .map(|(_, key)| key.trim());
    let query = request.uri().query().unwrap_or("");
    let in_query = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("api_key="));
    own.or(scheme).or(in_query)
}

fn json(text: &str) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (headers, text.to_owned()).into_response()
}
