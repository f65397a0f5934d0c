//! What a request says in its body, as JSON.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::ToSchema;

use super::Problem;

/// A body. That it is JSON was said before.
pub(super) struct Body<T>(pub(super) T);

/// Nothing to say: `{}`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await.map_err(|error| {
            if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Problem::new(error.status(), "too_large", "the body is too long")
            } else {
                Problem::malformed(error.body_text())
            }
        })?;
        let read = serde_json::from_slice(&bytes);
        let wrong = |error: serde_json::Error| Problem::malformed(format!("the body: {error}"));
        read.map(Self).map_err(wrong)
    }
}
