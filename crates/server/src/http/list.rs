//! Listing a client's own jobs, a page at a time. What a page costs is bounded, so a page may be short and not the last.

use std::sync::Arc;

use axum::{Json, extract::State, http::Uri};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use broker::{JobPage, JobPlace};
use protocol::{ErrorCode, JobRecord, JobState};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Api, Problem,
    caller::{Caller, InQueue},
    params::{ListQuery, QueuePath},
    query::Query,
    record::Record,
};
use crate::jobs;

/// How many jobs a page has unless another number is asked for, and at most.
pub(super) const DEFAULT: usize = 50;
pub(super) const MOST: usize = 100;

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page {
    /// Jobs without their payloads and results.
    #[schema(value_type = Vec<Record>)]
    jobs: Vec<JobRecord>,
    /// What to ask with for the next page, as `cursor`; absent on the last. A page with few or no jobs may have it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List your jobs.
///
/// Those that wait come in the order in which they will run, those that are over from the newest. Without `state`, the
/// states follow each other in the order of a job's life. A job that changes its state meanwhile may be missed, or come
/// twice. Of a queue that is split, the jobs of each partition come together, in this order.
#[utoipa::path(
    get,
    path = "/queues/{queue}/jobs",
    operation_id = "listJobs",
    tag = "jobs",
    params(QueuePath, ListQuery),
    responses((status = 200, description = "A page of jobs", body = Page))
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Caller { who, .. }: Caller,
    InQueue(queue): InQueue,
    uri: Uri,
) -> Result<Json<Page>, Problem> {
    let [state, kind, limit, cursor] =
        Query::of(&uri, ["state", "kind", "limit", "cursor"])?.values();
    let state: Option<JobState> = state
        .map(|state| state.parse())
        .transpose()
        .map_err(|error: protocol::UnknownState| Problem::malformed(format!("`state`: {error}")))?;
    let kind = kind.map(|kind| kind.parse()).transpose();
    let kind = kind.map_err(|error: protocol::NameError| {
        Problem::of(ErrorCode::InvalidName, format!("`kind`: {error}"))
    })?;
    let list = jobs::List {
        queue: &queue,
        state,
        kind,
        limit: limit.map_or(Ok(DEFAULT), |limit| parse_limit(&limit))?,
    };
    let after = cursor.map(|cursor| read_cursor(&cursor)).transpose()?;
    let page = api.shared.jobs.list(&who, &list, after).await?;
    let JobPage { jobs, next, .. } = page.map_err(|_| foreign_cursor())?;
    let next = next.as_ref().map(write_cursor);
    Ok(Json(Page { jobs, next }))
}

fn parse_limit(text: &str) -> Result<usize, Problem> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = text
        .parse()
        .ok()
        .filter(|limit| plain && (1..=MOST).contains(limit));
    limit.ok_or_else(|| Problem::malformed(format!("`limit` is from 1 to {MOST}")))
}

fn write_cursor(place: &JobPlace) -> String {
    let json = serde_json::to_vec(place).expect("texts are JSON");
    URL_SAFE_NO_PAD.encode(json)
}

fn read_cursor(text: &str) -> Result<JobPlace, Problem> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| foreign_cursor())?;
    serde_json::from_slice(&json).map_err(|_| foreign_cursor())
}

fn foreign_cursor() -> Problem {
    let why = "there is no such page: `cursor` did not come from such a list";
    Problem::of(ErrorCode::NotFound, why)
}

#[cfg(test)]
mod tests {
    use super::{parse_limit, read_cursor};

    #[test]
    fn what_no_list_gave_out_is_refused() {
        for cursor in ["", "x", "e30", "bnVsbA"] {
            assert!(read_cursor(cursor).is_err(), "{cursor}");
        }
        assert_eq!(parse_limit("100"), Ok(100));
        for limit in ["", "0", "101", "-1", "+1", "1.0", "x"] {
            assert!(parse_limit(limit).is_err(), "{limit}");
        }
    }
}
