//! Schedules of a queue: what is handed in at which times.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use protocol::{
    JobId, Missed, QueueName, Schedule, ScheduleName, ScheduleRecord, ScheduledJob, When,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Admin, Problem,
    body::{Body, Nothing},
    extract::{OfQueue, path, queue},
    schema,
};
use crate::ScheduleError;

/// All schedules of a queue.
#[derive(Serialize, ToSchema)]
pub(super) struct Schedules {
    /// By name.
    #[schema(value_type = Vec<schema::Schedule>)]
    schedules: Vec<ScheduleRecord>,
}

/// What is said of a schedule.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    /// At which times: `{"cron": "0 */5 * * * *", "zone": "Europe/Berlin"}`, `{"every_ms": 60000}` or `{"at": <time>}`.
    #[schema(value_type = Object)]
    when: When,
    /// Whether times that were missed are caught up: `skip` or `catch_up`.
    #[serde(default)]
    #[schema(value_type = Option<schema::Missed>)]
    missed: Missed,
    /// Whether it rests; absent means: as it is.
    paused: Option<bool>,
    /// What is handed in: `kind`, `payload`, and options as for any job.
    #[schema(value_type = Object)]
    job: ScheduledJob,
}

/// A run that was asked for.
#[derive(Serialize, ToSchema)]
pub(super) struct Ran {
    /// The job that it became.
    #[schema(value_type = String)]
    job: JobId,
}

/// It is gone.
#[derive(Serialize, ToSchema)]
pub(super) struct Removed {
    /// `done`.
    outcome: &'static str,
}

/// A schedule in the address, and its queue.
pub(super) struct OfSchedule(QueueName, ScheduleName);

#[derive(Deserialize)]
struct SchedulePath {
    queue: String,
    name: String,
}

impl<S: Send + Sync> FromRequestParts<S> for OfSchedule {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let of: SchedulePath = path(parts, state).await?;
        let name = of.name.parse();
        let name = name.map_err(|error| Problem::not_found(format!("no schedule: {error}")))?;
        Ok(Self(queue(&of.queue)?, name))
    }
}

/// Schedules of a queue.
#[utoipa::path(get, path = "/queues/{queue}/schedules", operation_id = "listSchedules", tag = "schedules",
    params(schema::QueuePath),
    responses((status = 200, description = "By name", body = Schedules)))]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    OfQueue(queue): OfQueue,
) -> Result<Json<Schedules>, Problem> {
    let schedules = admin.schedules.list(Some(&queue)).await;
    let schedules = schedules.map_err(|error| admin.refused(error))?;
    Ok(Json(Schedules { schedules }))
}

/// One schedule.
#[utoipa::path(get, path = "/queues/{queue}/schedules/{name}", operation_id = "getSchedule", tag = "schedules",
    params(schema::SchedulePath),
    responses((status = 200, description = "The schedule", body = schema::Schedule)))]
pub(super) async fn one(
    State(admin): State<Arc<Admin>>,
    OfSchedule(queue, name): OfSchedule,
) -> Result<Json<ScheduleRecord>, Problem> {
    admin.schedule(&queue, &name).await
}

/// Make a schedule, or say another thing of one.
#[utoipa::path(put, path = "/queues/{queue}/schedules/{name}", operation_id = "putSchedule", tag = "schedules",
    params(schema::SchedulePath), request_body = Said,
    responses(
        (status = 200, description = "It is changed", body = schema::Schedule),
        (status = 201, description = "It is new", body = schema::Schedule),
    ))]
pub(super) async fn put(
    State(admin): State<Arc<Admin>>,
    OfSchedule(queue, name): OfSchedule,
    Body(said): Body<Said>,
) -> Result<(StatusCode, Json<ScheduleRecord>), Problem> {
    let schedule = Schedule {
        name: name.clone(),
        queue: queue.clone(),
        when: said.when,
        missed: said.missed,
        paused: said.paused,
        source: None,
        job: said.job,
    };
    let created = admin.schedules.put(schedule).await;
    let created = created.map_err(|error| admin.refused(error))?;
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let schedule = admin.schedule(&queue, &name).await?;
    Ok((status, schedule))
}

/// Remove a schedule. Jobs that it handed in stay.
#[utoipa::path(delete, path = "/queues/{queue}/schedules/{name}", operation_id = "removeSchedule", tag = "schedules",
    params(schema::SchedulePath), request_body = Nothing,
    responses((status = 200, description = "It is gone", body = Removed)))]
pub(super) async fn remove(
    State(admin): State<Arc<Admin>>,
    OfSchedule(queue, name): OfSchedule,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Removed>, Problem> {
    let removed = admin.schedules.remove(&queue, &name).await;
    removed.map_err(|error| admin.refused(error))?;
    Ok(Json(Removed { outcome: "done" }))
}

/// Let a schedule rest.
#[utoipa::path(post, path = "/queues/{queue}/schedules/{name}/pause", operation_id = "pauseSchedule", tag = "schedules",
    params(schema::SchedulePath), request_body = Nothing,
    responses((status = 200, description = "It rests", body = schema::Schedule)))]
pub(super) async fn pause(
    State(admin): State<Arc<Admin>>,
    OfSchedule(queue, name): OfSchedule,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<ScheduleRecord>, Problem> {
    let paused = admin.schedules.pause(&queue, &name).await;
    paused.map_err(|error| admin.refused(error))?;
    admin.schedule(&queue, &name).await
}

/// Let a paused schedule go on.
#[utoipa::path(post, path = "/queues/{queue}/schedules/{name}/resume", operation_id = "resumeSchedule", tag = "schedules",
    params(schema::SchedulePath), request_body = Nothing,
    responses((status = 200, description = "It goes on", body = schema::Schedule)))]
pub(super) async fn resume(
    State(admin): State<Arc<Admin>>,
    OfSchedule(queue, name): OfSchedule,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<ScheduleRecord>, Problem> {
    let resumed = admin.schedules.resume(&queue, &name).await;
    resumed.map_err(|error| admin.refused(error))?;
    admin.schedule(&queue, &name).await
}

/// Hand in a schedule's job now, beside its times.
#[utoipa::path(post, path = "/queues/{queue}/schedules/{name}/run", operation_id = "runSchedule", tag = "schedules",
    params(schema::SchedulePath), request_body = Nothing,
    responses((status = 200, description = "It is handed in", body = Ran)))]
pub(super) async fn run(
    State(admin): State<Arc<Admin>>,
    OfSchedule(queue, name): OfSchedule,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Ran>, Problem> {
    let receipt = admin.schedules.run(&queue, &name).await;
    let receipt = receipt.map_err(|error| admin.refused(error))?;
    Ok(Json(Ran { job: receipt.id }))
}

impl Admin {
    async fn schedule(
        &self,
        queue: &QueueName,
        name: &ScheduleName,
    ) -> Result<Json<ScheduleRecord>, Problem> {
        let schedule = self.schedules.get(queue, name).await;
        schedule.map(Json).map_err(|error| self.refused(error))
    }

    fn refused(&self, error: ScheduleError) -> Problem {
        match error {
            ScheduleError::Redis(error) => self.problem(&error),
            ScheduleError::NotFound { .. } => Problem::not_found(error.to_string()),
            ScheduleError::Full { .. } => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                Problem::new(status, "too_many", error.to_string())
            }
            ScheduleError::Refused(error) => {
                super::enqueue::refused(error.code(), &error.to_string())
            }
            error => Problem::malformed(error.to_string()),
        }
    }
}
