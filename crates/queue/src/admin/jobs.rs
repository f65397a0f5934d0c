//! Lists of jobs, and all that is known of one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, extract::State};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use broker::{Browse, JobFilter, JobPlace};
use protocol::{FailureCode, JobRecord, JobState, Kind, Tenant};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Admin, Problem,
    extract::{Asked, OfId, OfJob, OfQueue},
    schema,
};
use crate::whole::Whole;

/// How long a page is looked for where few jobs fit; what it has not come to is on the next.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long a text may be that is searched for, in bytes.
const MAX_TEXT: usize = 200;

/// Which jobs.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Jobs in this state.
    #[param(value_type = schema::State)]
    state: JobState,
    /// Only jobs of this kind.
    #[param(inline, value_type = Option<schema::Name>)]
    kind: Option<Kind>,
    /// Only jobs of this tenant.
    #[param(inline, value_type = Option<schema::Name>)]
    tenant: Option<Tenant>,
    /// Only jobs whose latest attempt failed like this.
    #[param(value_type = Option<schema::FailureCode>)]
    error: Option<FailureCode>,
    /// Only jobs with this text in their id, kind, tenant, key, worker or error.
    #[param(max_length = 200)]
    text: Option<String>,
    /// Only jobs that came into their state at this time or later, in milliseconds since the Unix epoch.
    after_ms: Option<u64>,
    /// Only jobs that came into their state before this time.
    before_ms: Option<u64>,
    /// How many jobs a page has at most.
    #[serde(default = "fifty")]
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: usize,
    /// `next` of the page before.
    cursor: Option<String>,
}

const fn fifty() -> usize {
    50
}

/// A page of jobs.
#[derive(Serialize, ToSchema)]
pub(super) struct Page {
    /// Those that are over from the newest, others from the next. Without payloads and results.
    #[schema(value_type = Vec<schema::Job>)]
    jobs: Vec<JobRecord>,
    /// Where more may be, also after a page with none: the time to look for them is bounded.
    next: Option<String>,
    /// How many jobs were looked at.
    looked: usize,
}

/// Jobs in one state.
#[utoipa::path(get, path = "/queues/{queue}/jobs", operation_id = "listJobs", tag = "jobs",
    params(schema::QueuePath, Which),
    responses((status = 200, description = "A page of them", body = Page)))]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    OfQueue(queue): OfQueue,
    Asked(which): Asked<Which>,
) -> Result<Json<Page>, Problem> {
    if !(1..=500).contains(&which.limit) {
        return Err(Problem::malformed("`limit` is from 1 to 500"));
    }
    if which
        .text
        .as_ref()
        .is_some_and(|text| text.len() > MAX_TEXT)
    {
        return Err(Problem::malformed(format!(
            "`text` has at most {MAX_TEXT} bytes"
        )));
    }
    let mut after = which
        .cursor
        .as_deref()
        .filter(|cursor| !cursor.is_empty())
        .map(place)
        .transpose()?;
    admin.expect(&queue).await?;
    let filter = JobFilter {
        kind: which.kind,
        tenant: which.tenant,
        error: which.error,
        text: which.text.filter(|text| !text.is_empty()),
        from: which.after_ms,
        until: which.before_ms,
    };
    let mut page = Page {
        jobs: Vec::new(),
        next: None,
        looked: 0,
    };
    let began = Instant::now();
    loop {
        let browse = Browse {
            queue: &queue,
            states: &[which.state],
            filter: &filter,
            limit: which.limit - page.jobs.len(),
        };
        let found = admin.inspector.browse(&browse, after).await;
        let found = found
            .map_err(|error| admin.problem(&error))?
            .map_err(|_| foreign())?;
        page.jobs.extend(found.jobs);
        page.looked += found.looked;
        after = found.next;
        if after.is_none() || page.jobs.len() >= which.limit || began.elapsed() > PATIENCE {
            break;
        }
    }
    page.next = after.as_ref().map(cursor);
    Ok(Json(page))
}

/// All that is known of a job.
#[utoipa::path(get, path = "/queues/{queue}/jobs/{id}", operation_id = "getJob", tag = "jobs",
    params(schema::JobPath),
    responses((status = 200, description = "The job", body = schema::Job)))]
pub(super) async fn one(
    State(admin): State<Arc<Admin>>,
    OfJob(queue, id): OfJob,
) -> Result<Json<Whole>, Problem> {
    let job = admin.inspector.get(&queue, id).await;
    found(job.map_err(|error| admin.problem(&error))?)
}

/// All that is known of a job, in whichever queue it is.
#[utoipa::path(get, path = "/jobs/{id}", operation_id = "findJob", tag = "jobs",
    params(schema::IdPath),
    responses((status = 200, description = "The job", body = schema::Job)))]
pub(super) async fn find(
    State(admin): State<Arc<Admin>>,
    OfId(id): OfId,
) -> Result<Json<Whole>, Problem> {
    let job = admin.inspector.find(id).await;
    found(job.map_err(|error| admin.problem(&error))?)
}

fn found(job: Option<JobRecord>) -> Result<Json<Whole>, Problem> {
    job.map(|job| Json(job.into())).ok_or_else(no_job)
}

/// There is none.
pub(super) fn no_job() -> Problem {
    Problem::not_found("no job has this id: it never was, or is forgotten by now")
}

fn cursor(place: &JobPlace) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

fn place(cursor: &str) -> Result<JobPlace, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| foreign())?;
    serde_json::from_slice(&bytes).map_err(|_| foreign())
}

fn foreign() -> Problem {
    Problem::not_found("there is no such page: `cursor` did not come from this list")
}
