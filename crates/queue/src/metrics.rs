//! What the manager measures: the queues as it last saw them, and its own work.
//!
//! There is one series per queue and figure, and none for a queue that is gone, or while Redis can't be asked: an
//! old figure would look like a new one.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::{SystemTime, UNIX_EPOCH},
};

use broker::{Swept, Totals};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};
use protocol::JobState;

use crate::{QueueStats, pressure::Pressure};

/// A time in seconds since the Unix epoch; 0 before the first.
type Timestamp = Gauge<f64, AtomicU64>;

/// The manager's metrics; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    redis_up: Gauge,
    promoted: Counter,
    lost: Counter,
    expired: Counter,
    pruned: Counter,
    failures: Counter,
    runs: Counter,
    refused: Counter,
    maintained_at: Timestamp,
    minute_kept_at: Timestamp,
    queues: Queues,
    pressure: Pressure,
}

impl Metrics {
    /// Registers all of them.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self {
            redis_up,
            promoted,
            lost,
            expired,
            pruned,
            failures,
            runs,
            refused,
            maintained_at,
            minute_kept_at,
            queues,
            pressure,
        } = metrics.clone();
        registry.register(
            "redis_up",
            "Whether Redis answered the last time it was asked",
            redis_up,
        );
        let mut counter = |name: &str, help: &str, counter: Counter| {
            registry.register(format!("queue_maintenance_{name}"), help, counter);
        };
        counter(
            "promoted",
            "Delayed jobs that this manager put in line when they were due",
            promoted,
        );
        counter(
            "lost",
            "Leases that this manager found to have run out",
            lost,
        );
        counter(
            "expired",
            "Jobs that this manager failed because their time to live was over before they began",
            expired,
        );
        counter(
            "pruned",
            "Finished jobs that this manager forgot when they were past their time",
            pruned,
        );
        counter(
            "failures",
            "Rounds of maintenance that Redis did not let end well",
            failures,
        );
        let mut counter = |name: &str, help: &str, counter: Counter| {
            registry.register(format!("queue_schedule_{name}"), help, counter);
        };
        counter(
            "runs",
            "Runs of schedules that this manager handed in",
            runs,
        );
        counter(
            "refused",
            "Runs of schedules that the queue did not take when this manager handed them in; they are tried again",
            refused,
        );
        let mut timestamp = |name: &str, help: &str, at: Timestamp| {
            registry.register(
                format!("queue_{name}_last_success_timestamp_seconds"),
                help,
                at,
            );
        };
        timestamp(
            "maintenance",
            "When a round of maintenance last ended well, since the Unix epoch",
            maintained_at,
        );
        timestamp(
            "history",
            "When the minutes of all queues were last kept, since the Unix epoch",
            minute_kept_at,
        );
        registry.register_collector(Box::new(queues));
        registry.register_collector(Box::new(pressure));
        metrics
    }

    /// Redis answered.
    pub(crate) fn up(&self) {
        self.redis_up.set(1);
        now(&self.maintained_at);
    }

    /// The minute that has begun is kept, of each queue.
    pub(crate) fn minute_kept(&self) {
        now(&self.minute_kept_at);
    }

    /// What is looked at less often than jobs are counted.
    pub(crate) const fn pressure(&self) -> &Pressure {
        &self.pressure
    }

    /// Redis did not answer: what is known of the queues is of no worth any more.
    pub(crate) fn down(&self) {
        self.redis_up.set(0);
        self.show(Vec::new());
        self.pressure.forget();
    }

    /// A round, or its part for one queue, failed.
    pub(crate) fn failed(&self) {
        self.failures.inc();
    }

    /// Adds what was done in a queue.
    pub(crate) fn swept(&self, swept: Swept) {
        self.promoted.inc_by(swept.promoted);
        self.lost.inc_by(swept.lost);
        self.expired.inc_by(swept.expired);
        self.pruned.inc_by(swept.pruned);
    }

    /// Adds what was handed in, and what was not taken.
    pub(crate) fn scheduled(&self, runs: u64, refused: u64) {
        self.runs.inc_by(runs);
        self.refused.inc_by(refused);
    }

    /// Replaces the figures of all queues.
    pub(crate) fn show(&self, stats: Vec<QueueStats>) {
        *self.queues.0.lock().unwrap_or_else(PoisonError::into_inner) = stats;
    }
}

fn now(timestamp: &Timestamp) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    timestamp.set(since.unwrap_or_default().as_secs_f64());
}

/// The queues as they were last seen.
#[derive(Clone, Debug, Default)]
struct Queues(Arc<Mutex<Vec<QueueStats>>>);

/// A counter's name, what it counts, and where it is found.
type Total = (&'static str, &'static str, fn(&Totals) -> u64);

const TOTALS: [Total; 12] = [
    (
        "queue_jobs_enqueued",
        "Jobs that were accepted.",
        |totals| totals.enqueued,
    ),
    ("queue_jobs_completed", "Jobs that completed.", |totals| {
        totals.completed
    }),
    (
        "queue_jobs_failed",
        "Jobs that failed for good.",
        |totals| totals.failed,
    ),
    (
        "queue_jobs_cancelled",
        "Jobs that were cancelled.",
        |totals| totals.cancelled,
    ),
    (
        "queue_jobs_expired",
        "Jobs whose time to live was over before they began.",
        |totals| totals.expired,
    ),
    (
        "queue_jobs_refused",
        "Jobs that were not taken because the queue or the tenant's share was full.",
        |totals| totals.refused,
    ),
    (
        "queue_jobs_rerun",
        "Failed and cancelled jobs that were run again on request.",
        |totals| totals.rerun,
    ),
    (
        "queue_jobs_deleted",
        "Jobs that were deleted on request.",
        |totals| totals.deleted,
    ),
    (
        "queue_attempts_retried",
        "Attempts that failed and were followed by another.",
        |totals| totals.retried,
    ),
    (
        "queue_leases_lost",
        "Attempts whose worker stopped renewing its lease.",
        |totals| totals.lost,
    ),
    (
        "queue_attempts_handed_back",
        "Attempts that a stopping worker handed back.",
        |totals| totals.handed_back,
    ),
    (
        "queue_stale_writes",
        "Late writes of attempts that were over, all refused.",
        |totals| totals.stale,
    ),
];

impl Collector for Queues {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if stats.is_empty() {
            return Ok(());
        }
        let mut family = encoder.encode_descriptor(
            "queue_jobs",
            "Jobs in each state.",
            None,
            MetricType::Gauge,
        )?;
        for QueueStats { queue, jobs, .. } in &stats {
            for state in JobState::ALL {
                let labels = [("queue", queue.as_str()), ("state", state.as_str())];
                ConstGauge::new(jobs.get(state)).encode(family.encode_family(&labels)?)?;
            }
        }
        for (name, help, total) in TOTALS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for QueueStats { queue, totals, .. } in &stats {
                let labels = [("queue", queue.as_str())];
                ConstCounter::new(total(totals)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use broker::{Counts, Swept, Totals};
    use prometheus_client::{encoding::text::encode, registry::Registry};
    use protocol::QueueName;

    use super::Metrics;
    use crate::QueueStats;

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn queues_come_and_go() {
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        metrics.up();
        metrics.swept(Swept {
            promoted: 3,
            lost: 4,
            expired: 2,
            pruned: 1,
        });
        metrics.show(vec![QueueStats {
            queue: QueueName::new("chat").unwrap(),
            jobs: Counts {
                waiting: 7,
                ..Counts::default()
            },
            totals: Totals {
                enqueued: 9,
                stale: 1,
                ..Totals::default()
            },
        }]);
        let shown = text(&registry);
        for line in [
            "# TYPE queue_jobs gauge",
            r#"queue_jobs{queue="chat",state="waiting"} 7"#,
            r#"queue_jobs{queue="chat",state="cancelled"} 0"#,
            r#"queue_jobs_enqueued_total{queue="chat"} 9"#,
            r#"queue_stale_writes_total{queue="chat"} 1"#,
            "queue_maintenance_promoted_total 3",
            "redis_up 1",
        ] {
            assert!(
                shown.lines().any(|shown| shown == line),
                "{line} is not in\n{shown}"
            );
        }
        metrics.down();
        let shown = text(&registry);
        assert!(
            !shown.contains("chat") && shown.contains("redis_up 0\n"),
            "{shown}"
        );
        assert!(
            shown.contains("queue_maintenance_expired_total 2\n"),
            "{shown}"
        );
    }
}
