//! What each tenant has in a queue.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{Admin, Problem, extract::OfQueue, schema};

/// How many are listed.
const MOST: usize = 1_000;

/// Tenants that have waiting or active jobs, or limits of their own.
#[utoipa::path(get, path = "/queues/{queue}/tenants", operation_id = "listTenants", tag = "queues",
    params(schema::QueuePath),
    responses((status = 200, description = "By name, at most a thousand", body = schema::Tenants)))]
pub(super) async fn tenants(
    State(admin): State<Arc<Admin>>,
    OfQueue(queue): OfQueue,
) -> Result<Json<Value>, Problem> {
    admin.expect(&queue).await?;
    let tenants = admin.inspector.tenants(&queue, MOST).await;
    let tenants = tenants.map_err(|error| admin.problem(&error))?;
    Ok(Json(json!({ "tenants": tenants })))
}
