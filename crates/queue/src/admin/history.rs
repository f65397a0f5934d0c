//! What happened in a queue, in steps of time: what charts are drawn from.

use std::sync::Arc;

use axum::{Json, extract::State};
use broker::{KEPT_MS, MINUTE_MS, Minute};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Admin, Problem,
    extract::{Asked, OfQueue},
    schema,
};
use crate::happened::{Happened, OfKind, kinds};

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
pub(super) struct Point {
    /// When it began, in milliseconds since the Unix epoch.
    at: u64,
    /// How long it was, in milliseconds: the last is not over, and some may hold others of which nothing is known.
    span_ms: u64,
    /// How often what happened.
    #[serde(flatten)]
    happened: Happened,
    /// Jobs in line at its end.
    waiting: u64,
    /// Jobs that waited for their time.
    delayed: u64,
    /// Jobs that ran.
    active: u64,
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
    let mut points: Vec<Point> = Vec::new();
    for pair in minutes.windows(2) {
        let [before, after] = pair else { continue };
        if points
            .last()
            .is_none_or(|point| point.at / step_ms != before.at / step_ms)
        {
            points.push(Point {
                at: before.at,
                ..Point::default()
            });
        }
        let Some(point) = points.last_mut() else {
            continue;
        };
        point.span_ms = after.at.saturating_sub(point.at);
        let happened = Happened::between(&before.totals, &after.totals);
        point.happened.add(&happened);
        point.waiting = after.depth.waiting;
        point.delayed = after.depth.delayed;
        point.active = after.depth.active;
    }
    points.retain(|point| point.span_ms > 0);
    points
}

#[cfg(test)]
mod tests {
    use broker::{Counts, Minute, Totals};

    use super::{Happened, Point, points};

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
            happened: Happened {
                completed,
                ..Happened::default()
            },
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
