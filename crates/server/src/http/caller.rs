//! Who asks and what for: the token and the names in the address, read before anything else of a request.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Path},
    http::{header, request::Parts},
};

use super::{Api, Problem};
use crate::{
    auth::{self, Reason},
    identity::Identity,
    jobs::Which,
};

/// Who asks, as the `Authorization` header says.
pub(super) struct Caller(pub(super) Arc<Identity>);

/// The queue in the address.
pub(super) struct InQueue(pub(super) String);

/// The job in the address.
pub(super) struct OfJob(pub(super) Which);

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let token = auth::bearer(&parts.headers);
        if token.is_none_or(str::is_empty) && parts.headers.contains_key(header::AUTHORIZATION) {
            // Who shows something means to be somebody.
            return Err(auth::Denied::Invalid(Reason::Malformed).into());
        }
        Ok(Self(api.shared.access.admit(token).await?))
    }
}

impl FromRequestParts<Arc<Api>> for InQueue {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, api).await {
            Ok(Path(queue)) => Ok(Self(queue)),
            Err(error) => Err(Problem::malformed(error.body_text())),
        }
    }
}

impl FromRequestParts<Arc<Api>> for OfJob {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, api).await {
            Ok(Path((queue, id))) => Ok(Self(Which { queue, id })),
            Err(error) => Err(Problem::malformed(error.body_text())),
        }
    }
}
