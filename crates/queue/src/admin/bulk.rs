//! The same change to all jobs that fit a filter, page by page, with a line about how far it is now and then.
//!
//! It holds one page however many jobs there are, and ends when nobody reads its lines any more.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{extract::State, response::Response};
use broker::{Done, JobFilter};
use protocol::{FailureCode, JobState, Kind, Tenant, Whole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Admin, Problem,
    body::Body,
    extract::OfQueue,
    schema,
    stream::{Gone, LINES, Pen},
};
use crate::{
    commands::Verb,
    sweep::{Sweep, Swept},
};

/// How often a line is written at least.
const PAUSE: Duration = Duration::from_millis(250);

/// What to do, and to which jobs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    /// What to do.
    #[schema(value_type = schema::Verb)]
    verb: Word,
    /// Jobs in these states.
    #[schema(value_type = Vec<schema::State>, min_items = 1)]
    states: Vec<JobState>,
    /// Only jobs of this kind.
    #[schema(value_type = Option<schema::Name>)]
    kind: Option<Kind>,
    /// Only jobs of this tenant.
    #[schema(value_type = Option<schema::Name>)]
    tenant: Option<Tenant>,
    /// Only jobs whose latest attempt failed like this.
    #[schema(value_type = Option<schema::FailureCode>)]
    error: Option<FailureCode>,
    /// Only jobs with this text in their id, kind, tenant, key, worker or error.
    text: Option<String>,
    /// Only jobs that have been in their state for so long, in milliseconds.
    #[schema(value_type = Option<u64>)]
    older_than_ms: Option<Whole>,
    /// Only jobs that came into their state at this time or later, in milliseconds since the Unix epoch.
    #[schema(value_type = Option<u64>)]
    after_ms: Option<Whole>,
    /// Only so many.
    #[schema(value_type = Option<u64>, minimum = 1)]
    limit: Option<Whole>,
    /// Change nothing, and say how many it would be.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Retry,
    Cancel,
    Delete,
    RunNow,
}

/// How far it is.
#[derive(Clone, Copy, Default, Serialize, ToSchema)]
pub(super) struct Tally {
    /// How many jobs were looked at.
    looked: u64,
    /// About how many there were to look at when it began.
    of: u64,
    /// How many fit.
    matched: u64,
    /// How many were changed.
    done: u64,
    /// Active jobs whose workers were told.
    asked: u64,
    /// How many had changed or gone before their turn came.
    conflicts: u64,
}

/// A line of the answer. The last has an `end`, or an `error`.
#[derive(Serialize, ToSchema)]
pub(super) struct Line {
    #[serde(flatten)]
    tally: Tally,
    /// All jobs were gone through.
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<bool>,
    /// Why it ended before; what was done until then stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Do the same to all jobs that fit.
///
/// The answer is a JSON text a line, the last with `end` or `error`. It stops when the connection is closed.
#[utoipa::path(post, path = "/queues/{queue}/bulk", operation_id = "changeJobs", tag = "jobs",
    params(schema::QueuePath), request_body = Order,
    responses((status = 200, description = "Lines of this", body = Line, content_type = "application/x-ndjson")))]
pub(super) async fn bulk(
    State(admin): State<Arc<Admin>>,
    OfQueue(queue): OfQueue,
    Body(order): Body<Order>,
) -> Result<Response, Problem> {
    let verb = match order.verb {
        Word::Retry => Verb::Retry,
        Word::Cancel => Verb::Cancel,
        Word::Delete => Verb::Delete,
        Word::RunNow => Verb::RunNow,
    };
    if order.states.is_empty() {
        return Err(Problem::malformed(
            "`states` says in which states the jobs are",
        ));
    }
    if let Some(state) = order
        .states
        .iter()
        .find(|state| !verb.states().contains(state))
    {
        return Err(Problem::conflict(format!("{state}: {}", verb.rule())));
    }
    if order.limit == Some(Whole(0)) {
        return Err(Problem::malformed("`limit` is at least 1"));
    }
    admin.expect(&queue).await?;
    let now = admin.inspector.now().await;
    let now = now.map_err(|error| admin.problem(&error))?;
    let sweep = Sweep {
        inspector: admin.inspector.clone(),
        control: admin.control.clone(),
        queue,
        verb,
        // In the order in which jobs go through them, so that one that goes on is met.
        states: verb
            .states()
            .iter()
            .copied()
            .filter(|state| order.states.contains(state))
            .collect(),
        filter: JobFilter {
            kind: order.kind,
            tenant: order.tenant,
            error: order.error,
            text: order.text.filter(|text| !text.is_empty()),
            from: order.after_ms.map(|Whole(ms)| ms),
            until: order
                .older_than_ms
                .map(|Whole(ms)| now.saturating_sub(ms).saturating_add(1)),
        },
        limit: order.limit.map_or(u64::MAX, |Whole(limit)| limit),
        dry_run: order.dry_run,
    };
    let address = admin.redis.address();
    admin.lasting(LINES, |pen| async move {
        let mut tally = Tally::default();
        let (end, error) = match sweep_all(sweep, &mut tally, &pen).await {
            Ok(Ok(())) => (Some(true), None),
            Ok(Err(Gone)) => return,
            Err(error) => (None, Some(crate::fault::sentence(&error, &address))),
        };
        // Who closed the connection does not want to know.
        let _ = pen.write(line(&Line { tally, end, error })).await;
    })
}

impl Tally {
    fn add(&mut self, swept: &Swept) {
        (self.looked, self.of, self.matched) = (swept.looked, swept.of, swept.matched);
        for (_, done) in &swept.done {
            match done {
                Done::Yes => self.done += 1,
                Done::Requested => self.asked += 1,
                _ => self.conflicts += 1,
            }
        }
    }
}

/// Says how far it is now and then, and ends where nobody reads that any more.
async fn sweep_all(
    sweep: Sweep,
    tally: &mut Tally,
    pen: &Pen,
) -> Result<Result<(), Gone>, broker::Error> {
    let mut told = Instant::now();
    let mut sweeping = sweep.begin().await?;
    while let Some(swept) = sweeping.next().await? {
        tally.add(&swept);
        if told.elapsed() < PAUSE {
            continue;
        }
        told = Instant::now();
        let progress = Line {
            tally: *tally,
            end: None,
            error: None,
        };
        if pen.write(line(&progress)).await.is_err() {
            return Ok(Err(Gone));
        }
    }
    Ok(Ok(()))
}

fn line(line: &Line) -> String {
    let mut text = serde_json::to_string(line).unwrap_or_default();
    text.push('\n');
    text
}
