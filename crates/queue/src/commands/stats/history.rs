//! What happened in a queue since a time, out of the minutes that managers keep. Pure.

use std::collections::BTreeMap;

use broker::{MINUTE_MS, Minute, Totals};
use protocol::Kind;
use serde::Serialize;

/// How often something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Happened {
    pub(super) enqueued: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) retried: u64,
    pub(super) cancelled: u64,
    pub(super) lost: u64,
}

impl Happened {
    /// Between two looks. Totals that fell, because Redis was wiped, count as nothing.
    fn between(before: &Totals, after: &Totals) -> Self {
        let grown = |of: fn(&Totals) -> u64| of(after).saturating_sub(of(before));
        Self {
            enqueued: grown(|totals| totals.enqueued),
            completed: grown(|totals| totals.completed),
            failed: grown(|totals| totals.failed),
            retried: grown(|totals| totals.retried),
            cancelled: grown(|totals| totals.cancelled),
            lost: grown(|totals| totals.lost),
        }
    }

    const fn add(&mut self, more: &Self) {
        self.enqueued += more.enqueued;
        self.completed += more.completed;
        self.failed += more.failed;
        self.retried += more.retried;
        self.cancelled += more.cancelled;
        self.lost += more.lost;
    }
}

/// What happened from a time on, until the next point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Point {
    pub(super) at: u64,
    #[serde(flatten)]
    pub(super) happened: Happened,
    /// How many jobs were where at the end.
    waiting: u64,
    delayed: u64,
    active: u64,
}

/// How jobs of a kind ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct OfKind {
    pub(super) kind: Kind,
    pub(super) completed: u64,
    pub(super) failed: u64,
}

/// What happened in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct History {
    /// From when on, which is later than what was asked for where nothing older is known.
    pub(super) from: u64,
    pub(super) to: u64,
    #[serde(flatten)]
    pub(super) sums: Happened,
    pub(super) step_ms: u64,
    pub(super) points: Vec<Point>,
    /// Those of which a job ended, the busiest first.
    pub(super) kinds: Vec<OfKind>,
}

impl History {
    /// Out of minutes, oldest first, in so many points at most; nothing where less than two looks are known.
    pub(super) fn of(minutes: &[Minute], most: u64) -> Option<Self> {
        let [first, .., last] = minutes else {
            return None;
        };
        let length = last.at.saturating_sub(first.at).div_ceil(MINUTE_MS);
        let step_ms = MINUTE_MS * length.div_ceil(most).max(1);
        let mut sums = Happened::default();
        let mut points: Vec<Point> = Vec::new();
        let mut kinds = BTreeMap::<&Kind, (u64, u64)>::new();
        for pair in minutes.windows(2) {
            let [before, after] = pair else { continue };
            let happened = Happened::between(&before.totals, &after.totals);
            sums.add(&happened);
            let at = before.at - (before.at - first.at) % step_ms;
            match points.last_mut() {
                Some(point) if point.at == at => point.happened.add(&happened),
                // A time in which nobody looked counts as its first step; the others are empty.
                _ => points.push(Point {
                    at,
                    happened,
                    waiting: 0,
                    delayed: 0,
                    active: 0,
                }),
            }
            if let Some(point) = points.last_mut() {
                point.waiting = after.depth.waiting;
                point.delayed = after.depth.delayed;
                point.active = after.depth.active;
            }
            for (kind, totals) in &after.kinds {
                let old = before.kinds.get(kind).copied().unwrap_or_default();
                let sum = kinds.entry(kind).or_default();
                sum.0 += totals.completed.saturating_sub(old.completed);
                sum.1 += totals.failed.saturating_sub(old.failed);
            }
        }
        let mut kinds: Vec<_> = kinds
            .into_iter()
            .filter(|(_, (completed, failed))| completed + failed > 0)
            .map(|(kind, (completed, failed))| OfKind {
                kind: kind.clone(),
                completed,
                failed,
            })
            .collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.completed + kind.failed));
        Some(Self {
            from: first.at,
            to: last.at,
            sums,
            step_ms,
            points,
            kinds,
        })
    }

    /// Jobs that ended, a step each, also those of steps of which nothing is known.
    pub(super) fn ended(&self) -> Vec<u64> {
        let steps = self.to.saturating_sub(self.from).div_ceil(self.step_ms);
        let mut ended = vec![0; usize::try_from(steps.max(1)).unwrap_or(1)];
        for point in &self.points {
            let n = usize::try_from((point.at - self.from) / self.step_ms).unwrap_or(0);
            if let Some(sum) = ended.get_mut(n) {
                *sum += point.happened.completed + point.happened.failed;
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use broker::{KindTotals, MINUTE_MS, Minute, Totals};

    use super::{Happened, History};

    fn minute(n: u64, completed: u64, failed: u64) -> Minute {
        let kind = KindTotals { completed, failed };
        let mut minute = Minute {
            at: n * MINUTE_MS,
            totals: Totals {
                enqueued: completed + failed + 1,
                completed,
                failed,
                ..Totals::default()
            },
            kinds: [("mail".parse().unwrap(), kind)].into(),
            ..Minute::default()
        };
        minute.depth.waiting = n;
        minute
    }

    #[test]
    fn differences_are_what_happened() {
        assert_eq!(History::of(&[], 60), None);
        assert_eq!(History::of(&[minute(1, 0, 0)], 60), None);
        // Nobody looked at the third minute.
        let minutes = [minute(1, 5, 0), minute(2, 7, 1), minute(4, 8, 1)];
        let history = History::of(&minutes, 60).unwrap();
        assert_eq!((history.from, history.to), (MINUTE_MS, 4 * MINUTE_MS));
        let happened = |enqueued, completed, failed| Happened {
            enqueued,
            completed,
            failed,
            ..Happened::default()
        };
        assert_eq!(history.sums, happened(4, 3, 1));
        let points: Vec<_> = history
            .points
            .iter()
            .map(|point| (point.at / MINUTE_MS, point.happened, point.waiting))
            .collect();
        assert_eq!(
            points,
            [(1, happened(3, 2, 1), 2), (2, happened(1, 1, 0), 4)]
        );
        assert_eq!(history.ended(), [3, 1, 0]);
        let kind = &history.kinds[0];
        assert_eq!((kind.completed, kind.failed), (3, 1));
    }

    #[test]
    fn a_long_time_is_put_together() {
        let minutes: Vec<_> = (0..=180).map(|n| minute(n, n * 2, 0)).collect();
        let history = History::of(&minutes, 60).unwrap();
        assert_eq!((history.step_ms, history.points.len()), (180_000, 60));
        assert_eq!(history.ended(), [6; 60]);
        assert_eq!(history.sums.completed, 360);
    }

    #[test]
    fn a_wiped_redis_takes_nothing_back() {
        let minutes = [minute(1, 50, 0), minute(2, 0, 0), minute(3, 4, 0)];
        assert_eq!(History::of(&minutes, 60).unwrap().sums.completed, 4);
    }
}
