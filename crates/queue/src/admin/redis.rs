//! How Redis does.

use std::sync::Arc;

use axum::{Json, extract::State};
use broker::RedisHealth;

use super::{Admin, Problem, schema};

/// Memory, persistence and replication of Redis, and what should be set otherwise.
#[utoipa::path(get, path = "/redis", operation_id = "getRedis", tag = "redis",
    responses((status = 200, description = "What Redis says of itself", body = schema::Redis)))]
pub(super) async fn health(State(admin): State<Arc<Admin>>) -> Result<Json<RedisHealth>, Problem> {
    let health = admin.inspector.health().await;
    health.map(Json).map_err(|error| admin.problem(&error))
}
