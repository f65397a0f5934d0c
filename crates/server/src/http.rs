//! The HTTP API under `/v1`: the job verbs for who speaks no WebSocket, and a job's events as server-sent events.
//!
//! Who asks, and whether a page may, is decided before anything else; what a job is and whose, is `jobs`' business. Every
//! refusal is `application/problem+json`. Nothing here keeps anything between two requests.

mod body;
mod caller;
mod cors;
mod job;
mod new_job;
mod problem;
mod record;
pub(crate) mod schema;
mod submit;

use std::sync::Arc;

use axum::{Router, middleware};
use tokio::sync::Semaphore;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{Admission, OriginPolicy, client::Shared};

use problem::Problem;
pub(crate) use record::Failure;

/// How many KiB of bodies may be held at a time, by all requests together.
const BODIES_KIB: usize = 64 * 1024;

/// What it takes to serve the API.
pub(crate) struct Api {
    shared: Arc<Shared>,
    origins: OriginPolicy,
    admission: Arc<Admission>,
    /// What is left for bodies, in KiB.
    bodies: Arc<Semaphore>,
}

impl Api {
    pub(crate) fn new(
        shared: Arc<Shared>,
        origins: OriginPolicy,
        admission: Arc<Admission>,
    ) -> Self {
        Self {
            shared,
            origins,
            admission,
            bodies: Arc::new(Semaphore::new(BODIES_KIB)),
        }
    }
}

/// The routes of the API.
pub(crate) fn router(api: Arc<Api>) -> Router {
    let (v1, _description) = OpenApiRouter::new()
        .routes(routes!(submit::one))
        .routes(routes!(submit::bulk))
        .routes(routes!(job::get, job::delete))
        .routes(routes!(job::cancel))
        .routes(routes!(job::retry))
        .split_for_parts();
    let v1 = v1
        .fallback(async || Problem::no_route())
        .method_not_allowed_fallback(async || Problem::method())
        .layer(middleware::from_fn_with_state(
            Arc::clone(&api),
            cors::check,
        ))
        .with_state(api);
    Router::new().nest("/v1", v1)
}
