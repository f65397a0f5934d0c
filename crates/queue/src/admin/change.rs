//! What an operator does to one job.

use std::sync::Arc;

use axum::{Json, extract::State};
use broker::Done;
use protocol::Priority;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Admin, Problem,
    body::{Body, Nothing},
    extract::OfJob,
    jobs::no_job,
    schema,
};

/// What became of it.
#[derive(Serialize, ToSchema)]
pub(super) struct Changed {
    /// `done`, or `asked` where the worker that runs the job was told.
    #[schema(value_type = schema::Outcome)]
    outcome: &'static str,
}

/// Which line.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPriority)]
pub(super) struct Line {
    /// The priority that the job is to have.
    #[schema(value_type = schema::Priority)]
    priority: Priority,
}

type Answer = Result<Json<Changed>, Problem>;

/// Run a failed or cancelled job again, with all its attempts.
#[utoipa::path(post, path = "/queues/{queue}/jobs/{id}/retry", operation_id = "retryJob", tag = "jobs",
    params(schema::JobPath), request_body = Nothing,
    responses((status = 200, description = "It is in line again", body = Changed)))]
pub(super) async fn retry(
    State(admin): State<Arc<Admin>>,
    OfJob(queue, id): OfJob,
    Body(Nothing {}): Body<Nothing>,
) -> Answer {
    answer(&admin, admin.control.retry(&queue, &[id]).await)
}

/// Cancel a job, before or while it runs.
#[utoipa::path(post, path = "/queues/{queue}/jobs/{id}/cancel", operation_id = "cancelJob", tag = "jobs",
    params(schema::JobPath), request_body = Nothing,
    responses((status = 200, description = "It is cancelled, or its worker is told", body = Changed)))]
pub(super) async fn cancel(
    State(admin): State<Arc<Admin>>,
    OfJob(queue, id): OfJob,
    Body(Nothing {}): Body<Nothing>,
) -> Answer {
    answer(&admin, admin.control.cancel(&queue, &[id], None).await)
}

/// Run a delayed job now.
#[utoipa::path(post, path = "/queues/{queue}/jobs/{id}/run-now", operation_id = "runJobNow", tag = "jobs",
    params(schema::JobPath), request_body = Nothing,
    responses((status = 200, description = "It is in line", body = Changed)))]
pub(super) async fn run_now(
    State(admin): State<Arc<Admin>>,
    OfJob(queue, id): OfJob,
    Body(Nothing {}): Body<Nothing>,
) -> Answer {
    answer(&admin, admin.control.run_now(&queue, &[id]).await)
}

/// Change the priority of a job that waits or is delayed.
#[utoipa::path(post, path = "/queues/{queue}/jobs/{id}/priority", operation_id = "setJobPriority", tag = "jobs",
    params(schema::JobPath), request_body = Line,
    responses((status = 200, description = "It is in the other line", body = Changed)))]
pub(super) async fn priority(
    State(admin): State<Arc<Admin>>,
    OfJob(queue, id): OfJob,
    Body(Line { priority }): Body<Line>,
) -> Answer {
    answer(
        &admin,
        admin.control.set_priority(&queue, &[id], priority).await,
    )
}

/// Forget a job, with its result and log.
#[utoipa::path(delete, path = "/queues/{queue}/jobs/{id}", operation_id = "deleteJob", tag = "jobs",
    params(schema::JobPath), request_body = Nothing,
    responses((status = 200, description = "It is forgotten", body = Changed)))]
pub(super) async fn delete(
    State(admin): State<Arc<Admin>>,
    OfJob(queue, id): OfJob,
    Body(Nothing {}): Body<Nothing>,
) -> Answer {
    answer(&admin, admin.control.delete(&queue, &[id]).await)
}

fn answer(admin: &Admin, done: Result<Vec<Done>, broker::Error>) -> Answer {
    let done = done.map_err(|error| admin.problem(&error))?;
    let outcome = match done.first() {
        Some(Done::Yes) => "done",
        Some(Done::Requested) => "asked",
        Some(Done::Conflict(state)) => {
            return Err(Problem::conflict(format!(
                "the job is {state}, which does not allow this"
            )));
        }
        _ => return Err(no_job()),
    };
    Ok(Json(Changed { outcome }))
}
