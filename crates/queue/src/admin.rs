//! The admin API under `/api`: what the command line does, for the dashboard and for programs.
//!
//! Who asks is decided before anything else (`guard.rs`). Everything is asked of Redis when it is asked for: nothing is
//! kept between two requests, so that any manager answers for all.

mod args;
mod body;
mod bulk;
mod change;
mod describe;
mod enqueue;
mod errors;
mod events;
mod extract;
mod guard;
mod history;
mod jobs;
mod problem;
mod queues;
mod redis;
mod schedules;
mod schema;
mod stats;
mod stream;
mod tenants;
mod workers;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, header},
    middleware,
    response::IntoResponse as _,
    routing::get,
};
use broker::{Control, Inspector, QueueArgs, Redis};
use protocol::limits::MAX_PAYLOAD_BYTES;
use service::OriginPolicy;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::ScheduleBook;
pub use args::{AdminArgs, AdminArgsError};
use problem::Problem;

/// How many requests may last at a time: streams and bulk work.
pub(crate) const LASTING: usize = 64;

/// What it takes to answer.
pub(crate) struct Admin {
    redis: Redis,
    inspector: Inspector,
    control: Control,
    keep: QueueArgs,
    schedules: ScheduleBook,
    args: AdminArgs,
    origins: OriginPolicy,
    /// How many more requests may last.
    lasting: Arc<Semaphore>,
    /// What goes on after a request was taken: producers and those who follow a job.
    tasks: TaskTracker,
    /// Ends streams.
    stop: CancellationToken,
}

impl Admin {
    /// An API over everything under the connection's prefix. `loopback`: only this machine reaches it. What goes on
    /// after a request was taken is one of `tasks`, which the process waits for.
    pub(crate) fn new(
        redis: Redis,
        keep: QueueArgs,
        args: AdminArgs,
        loopback: bool,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            inspector: Inspector::new(redis.clone()),
            control: Control::new(redis.clone(), keep.clone()),
            schedules: ScheduleBook::new(redis.clone(), keep.clone()),
            redis,
            keep,
            origins: OriginPolicy::new(&args.allowed_origins, loopback),
            args,
            lasting: Arc::new(Semaphore::new(LASTING)),
            tasks,
            stop,
        }
    }
}

/// The routes of the API.
pub(crate) fn router(admin: Arc<Admin>) -> Router {
    let (v1, description) = OpenApiRouter::new()
        .routes(routes!(queues::list))
        .routes(routes!(queues::one))
        .routes(routes!(queues::pause))
        .routes(routes!(queues::resume))
        .routes(routes!(history::history))
        .routes(routes!(jobs::list, enqueue::enqueue))
        .routes(routes!(jobs::one, change::delete))
        .routes(routes!(jobs::find))
        .routes(routes!(change::retry))
        .routes(routes!(change::cancel))
        .routes(routes!(change::run_now))
        .routes(routes!(change::priority))
        .routes(routes!(events::log))
        .routes(routes!(events::follow_job))
        .routes(routes!(bulk::bulk))
        .routes(routes!(errors::errors))
        .routes(routes!(tenants::tenants))
        .routes(routes!(workers::workers))
        .routes(routes!(redis::health))
        .routes(routes!(stats::stats))
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::one, schedules::put, schedules::remove))
        .routes(routes!(schedules::pause))
        .routes(routes!(schedules::resume))
        .routes(routes!(schedules::run))
        .split_for_parts();
    let description = describe::document(description, admin.args.needs_token());
    let v1 = v1
        .fallback(async || Problem::no_route())
        .method_not_allowed_fallback(async || Problem::method());
    Router::new()
        .nest("/api/v1", v1)
        .route(
            "/api/openapi.json",
            get(async || {
                let json = HeaderValue::from_static("application/json");
                ([(header::CONTENT_TYPE, json)], description).into_response()
            }),
        )
        .layer(DefaultBodyLimit::max(2 * MAX_PAYLOAD_BYTES + 65_536))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&admin),
            guard::check,
        ))
        .with_state(admin)
}
