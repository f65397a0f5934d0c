//! The HTTP API under `/v1`: the job verbs for who speaks no WebSocket, and a job's events as server-sent events.
//!
//! Who asks, and whether a page may, is decided before anything else; what a job is and whose, is `jobs`' business. Every
//! refusal is `application/problem+json`. Nothing here keeps anything between two requests.

mod body;
mod caller;
mod cors;
mod describe;
mod docs;
mod events;
mod job;
mod list;
mod new_job;
mod params;
mod place;
mod problem;
mod query;
mod rates;
mod record;
mod replay;
pub(crate) mod schema;
mod stay;
mod submit;
mod wait;
mod watch;

use std::{sync::Arc, time::Duration};

use axum::{Router, middleware, routing::get};
use bytes::Bytes;
use tokio::sync::Semaphore;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Admission, Hub, OriginPolicy,
    client::{Shared, Users},
    routes::Gateway,
};

use problem::Problem;
use rates::Rates;
pub(crate) use record::Failure;

/// How many KiB of bodies may be held at a time, by all requests together.
const BODIES_KIB: usize = 64 * 1024;

/// What it takes to serve the API.
pub(crate) struct Api {
    shared: Arc<Shared>,
    origins: OriginPolicy,
    admission: Arc<Admission>,
    hub: Arc<Hub>,
    /// How many connections came from each address.
    addresses: Arc<Users>,
    max_per_address: usize,
    /// How long a client may take to read what is written to it.
    write_timeout: Duration,
    /// How many more requests may last.
    streams: Arc<Semaphore>,
    /// What is left for bodies, in KiB.
    bodies: Arc<Semaphore>,
    /// How often each client may ask for anything.
    requests: Rates,
    /// How many jobs each may hand in.
    submits: Rates,
}

impl Api {
    /// The API of a gateway; `max_streams` of its requests may last at a time.
    pub(crate) fn new(gateway: &Gateway, max_streams: usize) -> Self {
        Self {
            shared: Arc::clone(&gateway.sessions),
            origins: gateway.origins.clone(),
            admission: Arc::clone(&gateway.admission),
            hub: Arc::clone(&gateway.hub),
            addresses: Arc::clone(&gateway.addresses),
            max_per_address: gateway.max_per_address,
            write_timeout: gateway.timing.write_timeout,
            streams: Arc::new(Semaphore::new(max_streams)),
            bodies: Arc::new(Semaphore::new(BODIES_KIB)),
            requests: Rates::new(gateway.sessions.limits.commands_per_second),
            submits: Rates::new(gateway.sessions.limits.submits_per_second),
        }
    }
}

/// The routes of the API.
pub(crate) fn router(api: Arc<Api>) -> Router {
    let (v1, description) = OpenApiRouter::new()
        .routes(routes!(submit::one, list::list))
        .routes(routes!(submit::bulk))
        .routes(routes!(job::get))
        .routes(routes!(job::cancel))
        .routes(routes!(job::retry))
        .routes(routes!(events::follow))
        .split_for_parts();
    let strict = api.shared.access.needs_token();
    let description = Bytes::from(describe::document(description, "/v1", strict));
    let v1 = v1
        .fallback(async || Problem::no_route())
        .method_not_allowed_fallback(async || Problem::method());
    Router::new()
        .nest("/v1", v1)
        .route(
            "/openapi.json",
            get(async || docs::description(description)),
        )
        .layer(middleware::from_fn_with_state(
            Arc::clone(&api),
            cors::check,
        ))
        .route("/docs", get(async || docs::page()))
        .with_state(api)
}
