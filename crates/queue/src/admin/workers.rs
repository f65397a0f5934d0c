//! Workers, and what each runs now.

use std::{collections::HashMap, sync::Arc};

use axum::{Json, extract::State};
use broker::{Browse, JobFilter, WorkerStatus};
use protocol::{JobId, JobState, Kind, QueueName, Tenant};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Admin, Problem, schema};

/// How many active jobs of a queue are looked at.
const LOOKS: usize = 1_000;

/// All workers of all queues.
#[derive(Serialize, ToSchema)]
pub(super) struct Workers {
    /// By queue and name; those that are dead for less than an hour included.
    workers: Vec<Worker>,
}

/// A worker.
#[derive(Serialize, ToSchema)]
pub(super) struct Worker {
    /// The queue that it works on.
    #[schema(value_type = String)]
    queue: QueueName,
    /// What it says of itself.
    #[serde(flatten)]
    #[schema(value_type = schema::Card)]
    status: WorkerStatus,
    /// What it runs now, as far as the first thousand active jobs of the queue tell.
    jobs: Vec<Running>,
}

/// A job that runs.
#[derive(Serialize, ToSchema)]
pub(super) struct Running {
    /// Its id.
    #[schema(value_type = String)]
    id: JobId,
    /// Its kind.
    #[schema(value_type = String)]
    kind: Kind,
    /// Its tenant.
    #[schema(value_type = String)]
    tenant: Tenant,
    /// Which attempt it is.
    attempt: u32,
    /// When the attempt began, in milliseconds since the Unix epoch.
    started_at: Option<u64>,
}

/// Who runs the jobs, and what each runs now.
#[utoipa::path(get, path = "/workers", operation_id = "listWorkers", tag = "workers",
    responses((status = 200, description = "By queue and name", body = Workers)))]
pub(super) async fn workers(State(admin): State<Arc<Admin>>) -> Result<Json<Workers>, Problem> {
    let all = async {
        let mut workers = Vec::new();
        for queue in admin.inspector.queues().await? {
            let found = admin.inspector.workers(&queue).await?;
            let mut running = if found.is_empty() {
                HashMap::new()
            } else {
                admin.running(&queue).await?
            };
            workers.extend(found.into_iter().map(|status| Worker {
                queue: queue.clone(),
                jobs: running.remove(&status.name).unwrap_or_default(),
                status,
            }));
        }
        Ok(Json(Workers { workers }))
    };
    all.await
        .map_err(|error: broker::Error| admin.problem(&error))
}

impl Admin {
    /// What runs, by worker.
    async fn running(
        &self,
        queue: &QueueName,
    ) -> Result<HashMap<String, Vec<Running>>, broker::Error> {
        let browse = Browse {
            queue,
            states: &[JobState::Active],
            filter: &JobFilter::default(),
            limit: LOOKS,
        };
        let mut running = HashMap::<String, Vec<Running>>::new();
        let Ok(page) = self.inspector.browse(&browse, None).await? else {
            return Ok(running);
        };
        for job in page.jobs {
            let Some(worker) = job.worker else { continue };
            running.entry(worker).or_default().push(Running {
                id: job.id,
                kind: job.kind,
                tenant: job.tenant,
                attempt: job.attempt,
                started_at: job.started_at,
            });
        }
        Ok(running)
    }
}
