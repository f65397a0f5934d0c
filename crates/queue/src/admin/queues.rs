//! Queues: what each has and does, and whether it runs jobs.

use std::sync::Arc;

use axum::{Json, extract::State};
use broker::{Counts, Latency, MINUTE_MS, Minute, QueueSettings, Totals, Vitals};
use protocol::QueueName;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Admin, Problem,
    body::{Body, Nothing},
    extract::OfQueue,
    schema,
};

/// Over how many minutes rates are taken.
const RATE_MINUTES: u64 = 2;

/// A queue as it is now.
#[derive(Serialize, ToSchema)]
#[schema(as = Queue)]
#[allow(clippy::struct_field_names, reason = "the name is `queue` everywhere")]
pub(super) struct QueueView {
    /// Its name.
    #[schema(value_type = String)]
    queue: QueueName,
    /// How many jobs it has in each state.
    #[schema(value_type = schema::Numbers)]
    jobs: Counts,
    /// What happened in it since it began.
    #[schema(value_type = schema::Numbers)]
    totals: Totals,
    /// What is set for it. Absent fields mean no limit.
    #[schema(value_type = Object)]
    settings: QueueSettings,
    /// How long the oldest of the next jobs waits, in milliseconds; null when none does.
    oldest_waiting_ms: Option<u64>,
    /// How long jobs waited and ran that completed last; null while none has.
    #[schema(value_type = Option<Object>)]
    latency: Option<Latency>,
    /// What happened a second, over the last minutes; null while nothing is known of them.
    rates: Option<Rates>,
}

/// What happened a second.
#[derive(Serialize, ToSchema)]
pub(super) struct Rates {
    /// Jobs that came in.
    enqueued: f64,
    /// Jobs that completed.
    completed: f64,
    /// Jobs that failed for good.
    failed: f64,
}

/// All queues.
#[derive(Serialize, ToSchema)]
pub(super) struct Queues {
    /// When this was, by Redis' clock, in milliseconds since the Unix epoch.
    now: u64,
    /// By name.
    queues: Vec<QueueView>,
}

/// Whether a queue runs jobs.
#[derive(Serialize, ToSchema)]
pub(super) struct Paused {
    /// A paused queue takes jobs and runs none.
    paused: bool,
}

/// All queues and how they do.
#[utoipa::path(get, path = "/queues", operation_id = "listQueues", tag = "queues",
    responses((status = 200, description = "By name", body = Queues)))]
pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Result<Json<Queues>, Problem> {
    let all = async {
        let now = admin.inspector.now().await?;
        let mut queues = Vec::new();
        for queue in admin.inspector.queues().await? {
            queues.push(admin.queue(queue).await?);
        }
        Ok(Json(Queues { now, queues }))
    };
    all.await.map_err(|error| admin.problem(&error))
}

/// One queue and how it does.
#[utoipa::path(get, path = "/queues/{queue}", operation_id = "getQueue", tag = "queues",
    params(schema::QueuePath),
    responses((status = 200, description = "The queue", body = QueueView)))]
pub(super) async fn one(
    State(admin): State<Arc<Admin>>,
    OfQueue(queue): OfQueue,
) -> Result<Json<QueueView>, Problem> {
    admin.expect(&queue).await?;
    let queue = admin.queue(queue).await;
    queue.map(Json).map_err(|error| admin.problem(&error))
}

/// Let a queue take jobs and run none.
#[utoipa::path(post, path = "/queues/{queue}/pause", operation_id = "pauseQueue", tag = "queues",
    params(schema::QueuePath), request_body = Nothing,
    responses((status = 200, description = "It is paused", body = Paused)))]
pub(super) async fn pause(
    State(admin): State<Arc<Admin>>,
    OfQueue(queue): OfQueue,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Paused>, Problem> {
    set(&admin, &queue, true).await
}

/// Let a paused queue run jobs again.
#[utoipa::path(post, path = "/queues/{queue}/resume", operation_id = "resumeQueue", tag = "queues",
    params(schema::QueuePath), request_body = Nothing,
    responses((status = 200, description = "It runs jobs", body = Paused)))]
pub(super) async fn resume(
    State(admin): State<Arc<Admin>>,
    OfQueue(queue): OfQueue,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Paused>, Problem> {
    set(&admin, &queue, false).await
}

async fn set(admin: &Admin, queue: &QueueName, paused: bool) -> Result<Json<Paused>, Problem> {
    admin.expect(queue).await?;
    let set = admin.control.pause(queue, paused).await;
    set.map_err(|error| admin.problem(&error))?;
    Ok(Json(Paused { paused }))
}

impl Admin {
    async fn queue(&self, queue: QueueName) -> Result<QueueView, broker::Error> {
        let now = self.inspector.now().await?;
        let since = now.saturating_sub(RATE_MINUTES * MINUTE_MS);
        let minutes = self.inspector.minutes(&queue, since).await?;
        let settings = self.inspector.settings(&queue).await?;
        let Vitals {
            oldest_waiting_ms,
            latency,
        } = self.inspector.vitals(&queue).await?;
        let rates = rates(&minutes);
        let last = minutes.into_iter().next_back().unwrap_or_default();
        Ok(QueueView {
            queue,
            jobs: last.depth,
            totals: last.totals,
            settings,
            oldest_waiting_ms,
            latency,
            rates,
        })
    }
}

fn rates(minutes: &[Minute]) -> Option<Rates> {
    let (first, last) = (minutes.first()?, minutes.last()?);
    let secs = last.at.saturating_sub(first.at) as f64 / 1000.0;
    let rate = |of: fn(&Totals) -> u64| {
        let happened = of(&last.totals).saturating_sub(of(&first.totals));
        // Three digits are more than it is worth.
        (happened as f64 / secs * 1000.0).round() / 1000.0
    };
    (secs > 0.0).then(|| Rates {
        enqueued: rate(|totals| totals.enqueued),
        completed: rate(|totals| totals.completed),
        failed: rate(|totals| totals.failed),
    })
}
