//! One job: looking at it, cancelling it, running it again.

use std::sync::Arc;

use axum::{Json, extract::State, http::Uri};
use protocol::JobRecord;

use super::{
    Api, Problem,
    caller::{Caller, OfJob, Peer},
    params::{JobPath, WaitQuery},
    query::Query,
    record::Record,
    wait,
};
use crate::jobs::Changed;

/// Look at a job.
///
/// With `wait`, it is answered once the job is over, or after that time with the job as it is then.
#[utoipa::path(
    get,
    path = "/queues/{queue}/jobs/{id}",
    operation_id = "getJob",
    tag = "jobs",
    params(JobPath, WaitQuery),
    responses((status = 200, description = "The job", body = Record))
)]
pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Caller { who, .. }: Caller,
    OfJob(which): OfJob,
    peer: Peer,
    uri: Uri,
) -> Result<Json<JobRecord>, Problem> {
    let [wait] = Query::of(&uri, ["wait"])?.values();
    let job = match wait {
        None => api.shared.jobs.get(&who, &which).await?,
        Some(wait) => {
            let wait = wait::parse(&wait)?;
            api.wait(&who, &which, peer.address, wait).await?
        }
    };
    Ok(Json(job))
}

/// Cancel a job.
///
/// One that waits is over at once. Of one that runs, its worker is told, and its terminal event says how it ended.
#[utoipa::path(
    post,
    path = "/queues/{queue}/jobs/{id}/cancel",
    operation_id = "cancelJob",
    tag = "jobs",
    params(JobPath),
    responses((status = 200, description = "What became of the request", body = Changed))
)]
pub(super) async fn cancel(
    State(api): State<Arc<Api>>,
    Caller { who, .. }: Caller,
    OfJob(which): OfJob,
) -> Result<Json<Changed>, Problem> {
    let _work = api.admission.work()?;
    Ok(Json(api.shared.jobs.cancel(&who, &which).await?))
}

/// Run a failed or cancelled job again, with all its attempts.
#[utoipa::path(
    post,
    path = "/queues/{queue}/jobs/{id}/retry",
    operation_id = "retryJob",
    tag = "jobs",
    params(JobPath),
    responses((status = 200, description = "What became of the request", body = Changed))
)]
pub(super) async fn retry(
    State(api): State<Arc<Api>>,
    Caller { who, .. }: Caller,
    OfJob(which): OfJob,
) -> Result<Json<Changed>, Problem> {
    let _work = api.admission.work()?;
    Ok(Json(api.shared.jobs.retry(&who, &which).await?))
}
