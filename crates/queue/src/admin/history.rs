//! What happened in a queue, in steps of time: what charts are drawn from.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use broker::{KEPT_MS, KindTotals, MINUTE_MS, Minute};
use protocol::Kind;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Admin, Problem,
    extract::{Asked, OfQueue},
    schema,
};

/// Since when, and in what steps.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Range {
    /// How far back, in milliseconds: at most three days.
    #[serde(default = "an_hour")]
    #[param(minimum = 60_000, maximum = 259_200_000, default = 3_600_000)]
    since_ms: u64,
    /// How long a step is, in milliseconds: whole minutes.
    #[serde(default = "a_minute")]
    #[param(
        minimum = 60_000,
        maximum = 86_400_000,
        default = 60_000,
        multiple_of = 60_000
    )]
    step_ms: u64,
}

const fn an_hour() -> u64 {
    60 * MINUTE_MS
}

const fn a_minute() -> u64 {
    MINUTE_MS
}

/// What happened in each step.
#[derive(Serialize, ToSchema)]
pub(super) struct History {
    /// How long a step is, in milliseconds.
    step_ms: u64,
    /// Oldest first. A step of which nothing is known is left out.
    points: Vec<Point>,
    /// What became of jobs of each kind in all of the time, the busiest first.
    kinds: Vec<OfKind>,
}

/// What happened in one step, and how many jobs were where at its end.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[allow(missing_docs, reason = "they are the totals' and states' own names")]
pub(super) struct Point {
    /// When it began, in milliseconds since the Unix epoch.
    at: u64,
    /// How long it was, in milliseconds: the last is not over, and some may hold others of which nothing is known.
    span_ms: u64,
    enqueued: u64,
    completed: u64,
    failed: u64,
    cancelled: u64,
    retried: u64,
    lost: u64,
    waiting: u64,
    delayed: u64,
    active: u64,
}

/// What became of jobs of one kind.
#[derive(Serialize, ToSchema)]
pub(super) struct OfKind {
    /// The kind.
    #[schema(value_type = String)]
    kind: Kind,
    /// Jobs that completed.
    completed: u64,
    /// Jobs that failed for good.
    failed: u64,
}

/// What happened in a queue, in steps of whole minutes.
#[utoipa::path(get, path = "/queues/{queue}/history", operation_id = "getHistory", tag = "queues",
    params(schema::QueuePath, Range),
    responses((status = 200, description = "The steps", body = History)))]
pub(super) async fn history(
    State(admin): State<Arc<Admin>>,
    OfQueue(queue): OfQueue,
    Asked(Range { since_ms, step_ms }): Asked<Range>,
) -> Result<Json<History>, Problem> {
    if !(MINUTE_MS..=KEPT_MS).contains(&since_ms) {
        return Err(Problem::malformed("`since_ms` is from 60000 to 259200000"));
    }
    if step_ms == 0 || step_ms % MINUTE_MS != 0 || step_ms > 86_400_000 {
        return Err(Problem::malformed(
            "`step_ms` is whole minutes, a day at most",
        ));
    }
    admin.expect(&queue).await?;
    let minutes = async {
        let now = admin.inspector.now().await?;
        // A step that began before is whole.
        let since = now.saturating_sub(since_ms) / step_ms * step_ms;
        admin.inspector.minutes(&queue, since).await
    };
    let minutes = minutes.await.map_err(|error| admin.problem(&error))?;
    Ok(Json(History {
        step_ms,
        points: points(&minutes, step_ms),
        kinds: kinds(&minutes),
    }))
}

fn points(minutes: &[Minute], step_ms: u64) -> Vec<Point> {
    let mut points = Vec::new();
    let mut from: Option<&Minute> = None;
    for (n, minute) in minutes.iter().enumerate() {
        let Some(first) = from else {
            from = Some(minute);
            continue;
        };
        let is_last = n + 1 == minutes.len();
        if minute.at / step_ms == first.at / step_ms && !is_last {
            continue;
        }
        if minute.at <= first.at {
            continue;
        }
        let (a, b) = (&first.totals, &minute.totals);
        // A queue whose counters began anew has done nothing that is known.
        let happened = |before: u64, after: u64| after.saturating_sub(before);
        points.push(Point {
            at: first.at,
            span_ms: minute.at - first.at,
            enqueued: happened(a.enqueued, b.enqueued),
            completed: happened(a.completed, b.completed),
            failed: happened(a.failed, b.failed),
            cancelled: happened(a.cancelled, b.cancelled),
            retried: happened(a.retried, b.retried),
            lost: happened(a.lost, b.lost),
            waiting: minute.depth.waiting,
            delayed: minute.depth.delayed,
            active: minute.depth.active,
        });
        from = Some(minute);
    }
    points
}

fn kinds(minutes: &[Minute]) -> Vec<OfKind> {
    let none = BTreeMap::new();
    let first = minutes.first().map_or(&none, |minute| &minute.kinds);
    let last = minutes.last().map_or(&none, |minute| &minute.kinds);
    let mut kinds: Vec<_> = last
        .iter()
        .map(|(kind, after)| {
            let KindTotals { completed, failed } = first.get(kind).copied().unwrap_or_default();
            OfKind {
                kind: kind.clone(),
                completed: after.completed.saturating_sub(completed),
                failed: after.failed.saturating_sub(failed),
            }
        })
        .filter(|kind| kind.completed + kind.failed > 0)
        .collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.completed + kind.failed));
    kinds
}

#[cfg(test)]
mod tests {
    use broker::{Counts, Minute, Totals};

    use super::{Point, points};

    fn minute(at: u64, completed: u64, waiting: u64) -> Minute {
        Minute {
            at,
            totals: Totals {
                completed,
                ..Totals::default()
            },
            depth: Counts {
                waiting,
                ..Counts::default()
            },
            ..Minute::default()
        }
    }

    #[test]
    fn a_step_is_the_difference_of_what_was_counted() {
        let minutes = [
            minute(60_000, 1, 9),
            minute(120_000, 4, 8),
            minute(180_000, 4, 7),
            // Nobody kept the fourth, and the fifth is not over.
            minute(300_000, 10, 6),
            minute(310_000, 11, 5),
        ];
        let point = |at, span_ms, completed, waiting| Point {
            at,
            span_ms,
            completed,
            waiting,
            ..Point::default()
        };
        assert_eq!(
            points(&minutes, 60_000),
            [
                point(60_000, 60_000, 3, 8),
                point(120_000, 60_000, 0, 7),
                point(180_000, 120_000, 6, 6),
                point(300_000, 10_000, 1, 5),
            ]
        );
        assert_eq!(
            points(&minutes, 120_000),
            [
                point(60_000, 60_000, 3, 8),
                point(120_000, 180_000, 6, 6),
                point(300_000, 10_000, 1, 5),
            ]
        );
        assert_eq!(points(&minutes[..1], 60_000), []);
    }
}
