//! Who asks and what for: the token and the names in the address, read before anything else of a request.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Path},
    http::{HeaderMap, header, request::Parts},
};
use service::Hangup;

use super::{Api, Problem};
use crate::{
    auth::{self, Denied, Reason},
    identity::Identity,
    jobs::Which,
};

/// Who asks, as the `Authorization` header says.
pub(super) struct Caller {
    pub(super) who: Arc<Identity>,
    /// What it is counted under: its user or, without one, its address.
    pub(super) name: String,
}

/// Who asks, as the `Authorization` header says or, where there is none, `?token=`: browsers can't set headers of a
/// stream of events.
pub(super) struct StreamCaller(pub(super) Arc<Identity>);

/// Where a request came from.
pub(super) struct Peer {
    pub(super) address: Option<IpAddr>,
    pub(super) hangup: Option<Hangup>,
}

/// The queue in the address.
pub(super) struct InQueue(pub(super) String);

/// The job in the address.
pub(super) struct OfJob(pub(super) Which);

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let token = shown(&parts.headers)?;
        let who = api.shared.access.admit(token).await?;
        let name = count(api, parts, &who)?;
        Ok(Self { who, name })
    }
}

impl FromRequestParts<Arc<Api>> for StreamCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let query = auth::query_token(&parts.uri);
        let token = shown(&parts.headers)?.or(query.as_deref());
        let who = api.shared.access.admit(token).await?;
        count(api, parts, &who)?;
        Ok(Self(who))
    }
}

/// Counts a request, and says under which name.
fn count(api: &Api, parts: &Parts, who: &Identity) -> Result<String, Problem> {
    let name = if who.is_anonymous() {
        address(parts).map_or_else(String::new, |address| address.to_string())
    } else {
        // No address has a slash.
        format!("user/{}", who.user)
    };
    api.requests.take(&name, None, 1)?;
    Ok(name)
}

fn address(parts: &Parts) -> Option<IpAddr> {
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(address.0.ip().to_canonical())
}

/// The token in the header.
fn shown(headers: &HeaderMap) -> Result<Option<&str>, Denied> {
    let token = auth::bearer(headers).filter(|token| !token.is_empty());
    if token.is_none() && headers.contains_key(header::AUTHORIZATION) {
        // Who shows something means to be somebody.
        return Err(Denied::Invalid(Reason::Malformed));
    }
    Ok(token)
}

impl FromRequestParts<Arc<Api>> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Infallible> {
        Ok(Self {
            address: address(parts),
            hangup: parts.extensions.get().cloned(),
        })
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
