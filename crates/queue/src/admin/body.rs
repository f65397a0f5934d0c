//! What a request says in its body, as JSON. Whatever changes something has one, since no form of another page can send it.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::ToSchema;

use super::Problem;

/// A body.
pub(super) struct Body<T>(pub(super) T);

/// Nothing to say: `{}`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let why =
                "send `Content-Type: application/json`, and `{}` where there is nothing to say";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "unsupported_media_type", why));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|error| {
            if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Problem::new(error.status(), "too_large", "the body is too long")
            } else {
                Problem::malformed(error.body_text())
            }
        })?;
        // A list of the values alone would be read as well.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(Problem::malformed("the body: a JSON object is wanted"));
        }
        let read = serde_json::from_slice(&bytes);
        let wrong = |error: serde_json::Error| Problem::malformed(format!("the body: {error}"));
        read.map(Self).map_err(wrong)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::CONTENT_TYPE);
    let sent = sent
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = sent.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}
