//! Failed jobs by what went wrong.

use std::sync::Arc;

use axum::{Json, extract::State};
use broker::Errors;

use super::{Admin, Problem, extract::OfQueue, schema};

/// The newest failed jobs, put together by what their errors say.
#[utoipa::path(get, path = "/queues/{queue}/errors", operation_id = "listErrors", tag = "jobs",
    params(schema::QueuePath),
    responses((status = 200, description = "The most frequent first", body = schema::Errors)))]
pub(super) async fn errors(
    State(admin): State<Arc<Admin>>,
    OfQueue(queue): OfQueue,
) -> Result<Json<Errors>, Problem> {
    admin.expect(&queue).await?;
    let errors = admin.inspector.errors(&queue).await;
    errors.map(Json).map_err(|error| admin.problem(&error))
}
