//! Handing in a job.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use broker::{FreshId, Producer, ProducerConfig, SubmitError};
use protocol::{
    ErrorCode, IdempotencyKey, Job, JobId, JobOptions, Kind, Priority, QueueName, Tenant, Whole,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Admin, Problem, body::Body, extract::OfQueue, schema};

/// A job to hand in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewJob {
    /// Which handler runs it.
    #[schema(value_type = schema::Name)]
    kind: Kind,
    /// What it works on.
    #[schema(value_type = Value)]
    payload: Box<RawValue>,
    /// Which line it waits in; `normal` unless said otherwise.
    #[serde(default)]
    #[schema(value_type = Option<schema::Priority>)]
    priority: Option<Priority>,
    /// How long it waits at least, in milliseconds.
    #[schema(value_type = Option<schema::Pause>)]
    delay_ms: Option<Whole>,
    /// How often it may be tried.
    #[schema(value_type = Option<schema::Attempts>)]
    max_attempts: Option<Whole>,
    /// Who it belongs to; `public` unless said otherwise.
    #[schema(value_type = Option<schema::Name>)]
    tenant: Option<Tenant>,
    /// What makes handing it in again safe.
    #[schema(value_type = Option<schema::Key>)]
    key: Option<IdempotencyKey>,
}

/// A job that is stored.
#[derive(Serialize, ToSchema)]
pub(super) struct Stored {
    /// Its id.
    #[schema(value_type = String)]
    id: JobId,
    /// The queue that it is in.
    #[schema(value_type = String)]
    queue: QueueName,
    /// Whether it was there already, under the same key.
    duplicate: bool,
}

/// Hand in a job.
#[utoipa::path(post, path = "/queues/{queue}/jobs", operation_id = "enqueueJob", tag = "jobs",
    params(schema::QueuePath), request_body = NewJob,
    responses(
        (status = 201, description = "It is stored", body = Stored),
        (status = 200, description = "It was there already", body = Stored),
    ))]
pub(super) async fn enqueue(
    State(admin): State<Arc<Admin>>,
    OfQueue(queue): OfQueue,
    Body(new): Body<NewJob>,
) -> Result<Response, Problem> {
    let default = JobOptions::default();
    let job = Job {
        kind: new.kind,
        payload: new.payload,
        options: JobOptions {
            priority: new.priority.unwrap_or_default(),
            delay_ms: new.delay_ms.map_or(0, |Whole(ms)| ms),
            max_attempts: new
                .max_attempts
                .map_or(default.max_attempts, |Whole(most)| {
                    u32::try_from(most).unwrap_or(u32::MAX)
                }),
            tenant: new.tenant.unwrap_or_else(Tenant::public),
            key: new.key,
            ..default
        },
    };
    job.validate()
        .map_err(|error| refused(error.code(), &error.to_string()))?;
    // A producer waits for a Redis that is away; who asks here would rather know.
    let answers = admin.redis.ping().await;
    answers.map_err(|error| admin.problem(&error))?;
    let producer = Producer::spawn(
        admin.redis.clone(),
        queue.clone(),
        admin.keep.clone(),
        ProducerConfig::default(),
        &admin.tasks,
    );
    let stored = producer.submit(FreshId::new(), job).await;
    let receipt = stored.map_err(|error| match &error {
        SubmitError::Invalid(invalid) => refused(invalid.code(), &error.to_string()),
        error => refused(error.code(), &error.to_string()),
    })?;
    let place = format!("/api/v1/queues/{queue}/jobs/{}", receipt.id);
    let body = Stored {
        id: receipt.id,
        queue,
        duplicate: receipt.duplicate,
    };
    let status = if receipt.duplicate {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let mut response = (status, Json(body)).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

pub(super) fn refused(code: ErrorCode, why: &str) -> Problem {
    let status = match code {
        ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::QueueFull => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(status, code.as_str(), why)
}
