//! Handing jobs in, one or many. Many are handed in together, so that they share batches on their way to Redis.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use protocol::{ErrorCode, IdempotencyKey, JobId, limits::MAX_PAYLOAD_BYTES};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::{
    Api, Problem,
    body::Object,
    caller::{Caller, InQueue},
    new_job::NewJob,
    params::{KeyHeader, QueuePath},
};
use crate::{
    identity::Identity,
    jobs::{Accepted, Checked, Refused},
};

/// The longest body with one job: its payload, its announcement, and everything else.
const MAX_BODY: usize = 2 * MAX_PAYLOAD_BYTES + 64 * 1024;
/// The longest body with many.
const MAX_BULK_BODY: usize = 8 * 1024 * 1024;
/// How many jobs one body may have.
const MAX_BULK: usize = 1_000;

/// Jobs to hand in together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Bulk {
    /// The jobs, which are handed in in this order.
    #[schema(value_type = Vec<NewJob>, min_items = 1, max_items = 1000)]
    jobs: Vec<Object<NewJob>>,
}

/// What became of jobs that were handed in together.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BulkResult {
    /// In the order of the jobs.
    results: Vec<ItemResult>,
}

/// What became of one of them: what it would have been answered alone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum ItemResult {
    /// It is stored.
    Accepted(Accepted),
    /// It is not.
    Refused(Problem),
}

/// Hand in a job.
///
/// Answered once the job is stored. The same id or idempotency key again means the same job.
#[utoipa::path(
    post,
    path = "/queues/{queue}/jobs",
    operation_id = "submitJob",
    tag = "jobs",
    params(QueuePath, KeyHeader),
    request_body = NewJob,
    responses(
        (
            status = 201, description = "It is stored", body = Accepted,
            headers(("Location" = String, description = "Where the job is"))
        ),
        (
            status = 200, description = "It was there already", body = Accepted,
            headers(("Location" = String, description = "Where the job is"))
        ),
    )
)]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Caller { who, name }: Caller,
    InQueue(queue): InQueue,
    request: Request,
) -> Result<Response, Problem> {
    let _work = api.admission.work()?;
    let most = who.scope.limits.max_submits_per_second;
    api.submits.take(&name, most, 1)?;
    let header = idempotency_key(request.headers())?;
    let mut read = api.read::<NewJob>(request, MAX_BODY).await?;
    if let Some(header) = header {
        let key = read.value.key();
        if key.as_ref().is_some_and(|key| *key != header) {
            let why = "`Idempotency-Key` and `options.key` differ";
            return Err(Problem::of(ErrorCode::Conflict, why));
        }
        *key = Some(header);
    }
    let checked = api.shared.jobs.check(&who, read.value.submit(queue))?;
    let accepted = api.hand_in(checked).await;
    let accepted = accepted.await.map_err(|_| stopping())??;
    let status = if accepted.duplicate {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let location = location(&accepted);
    Ok((status, [(header::LOCATION, location)], Json(accepted)).into_response())
}

/// Hand in many jobs.
///
/// If one of them is not what it should be, none is stored. What the queue or your token says to each stands in its result.
#[utoipa::path(
    post,
    path = "/queues/{queue}/jobs/bulk",
    operation_id = "submitJobs",
    tag = "jobs",
    params(QueuePath),
    request_body = Bulk,
    responses((status = 200, description = "What became of each", body = BulkResult))
)]
pub(super) async fn bulk(
    State(api): State<Arc<Api>>,
    Caller { who, name }: Caller,
    InQueue(queue): InQueue,
    request: Request,
) -> Result<Json<BulkResult>, Problem> {
    let _work = api.admission.work()?;
    let read = api.read::<Bulk>(request, MAX_BULK_BODY).await?;
    let (jobs, _room) = (read.value.jobs, read.room);
    if !(1..=MAX_BULK).contains(&jobs.len()) {
        let why = format!(
            "`jobs` must have 1 to {MAX_BULK} jobs, it has {}",
            jobs.len()
        );
        return Err(Problem::malformed(why));
    }
    let most = who.scope.limits.max_submits_per_second;
    api.submits.take(&name, most, jobs.len())?;
    let jobs = jobs.into_iter().enumerate();
    let checked: Vec<_> = jobs
        .map(|(place, Object(job))| api.check(&who, job, &queue, place))
        .collect::<Result<_, _>>()?;
    let mut answers = Vec::with_capacity(checked.len());
    for checked in checked {
        answers.push(match checked {
            Ok(checked) => Ok(api.hand_in(checked).await),
            Err(refused) => Err(refused),
        });
    }
    let mut results = Vec::with_capacity(answers.len());
    for answer in answers {
        let result = match answer {
            Ok(answer) => answer.await.unwrap_or_else(|_| Err(stopped())),
            Err(refused) => Err(refused),
        };
        results.push(match result {
            Ok(accepted) => ItemResult::Accepted(accepted),
            Err(refused) => ItemResult::Refused(refused.into()),
        });
    }
    Ok(Json(BulkResult { results }))
}

impl Api {
    /// Looks at one of many: what the token does not allow is its result, anything else refuses all.
    fn check(
        &self,
        who: &Identity,
        job: NewJob,
        queue: &str,
        place: usize,
    ) -> Result<Result<Checked, Refused>, Problem> {
        match self.shared.jobs.check(who, job.submit(queue.to_owned())) {
            Err(Refused::Job(code, why)) => Err(Problem::of(code, why).within(place)),
            other => Ok(other),
        }
    }

    /// Hands a job in, in order, and answers with what will say what became of it.
    async fn hand_in(&self, checked: Checked) -> oneshot::Receiver<Result<Accepted, Refused>> {
        let (done, answer) = oneshot::channel();
        let jobs = &self.shared.jobs;
        jobs.submit(checked, |result| drop(done.send(result))).await;
        answer
    }
}

fn stopped() -> Refused {
    let why = "the process is stopping".to_owned();
    Refused::Job(ErrorCode::Unavailable, why)
}

fn stopping() -> Problem {
    stopped().into()
}

fn location(accepted: &Accepted) -> String {
    let (queue, id): (_, JobId) = (&accepted.queue, accepted.id);
    format!("/v1/queues/{queue}/jobs/{id}")
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut all = headers.get_all("idempotency-key").iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(key), None) => {
            let key = key.to_str().ok().and_then(|key| key.parse().ok());
            let why = "`Idempotency-Key` must have 1 to 128 visible ASCII characters";
            key.map(Some).ok_or_else(|| Problem::malformed(why))
        }
        (Some(_), Some(_)) => Err(Problem::malformed("`Idempotency-Key` stands there twice")),
    }
}
