//! What a worker counts, and the layer that counts it.
//!
//! Labels are the worker's own kinds and a few outcomes, and all series are there from the start: a rate of what never
//! happened is 0, not absent. Nothing is looked up by a label while jobs run.

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use apalis_core::{error::BoxDynError, task::Task};
use broker::{JobError, JobHandle, Output};
use futures_util::future::BoxFuture;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use protocol::{Job, Kind};
use tower::{Layer, Service};

/// How attempts end.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Completed,
    Failed,
    Panicked,
    /// Given up: it was told to end, and did not in its grace.
    Abandoned,
}

impl Outcome {
    const ALL: [Self; 4] = [
        Self::Completed,
        Self::Failed,
        Self::Panicked,
        Self::Abandoned,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::Abandoned => "abandoned",
        }
    }

    fn of(result: &Result<Output, BoxDynError>) -> Self {
        match result {
            Ok(_) => Self::Completed,
            Err(error) => match error.downcast_ref::<JobError>() {
                Some(error) if error.failure().code == protocol::FailureCode::Panic => {
                    Self::Panicked
                }
                _ => Self::Failed,
            },
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    kind: String,
    outcome: &'static str,
}

/// What is counted of one kind.
#[derive(Debug)]
struct OfKind {
    running: Gauge,
    waits: Histogram,
    /// By outcome, in their order.
    attempts: [Counter; Outcome::ALL.len()],
    seconds: [Histogram; Outcome::ALL.len()],
}

/// Counts attempts. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct MetricsLayer {
    kinds: Arc<BTreeMap<Kind, Arc<OfKind>>>,
}

impl MetricsLayer {
    /// Counts attempts of these kinds. A worker is given no others.
    pub(crate) fn new<'a>(
        registry: &mut Registry,
        kinds: impl IntoIterator<Item = &'a Kind>,
    ) -> Self {
        let running = Family::<KindLabel, Gauge>::default();
        let attempts = Family::<AttemptLabels, Counter>::default();
        let histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 12));
        let seconds = Family::<AttemptLabels, Histogram, _>::new_with_constructor(histogram);
        let waits = Family::<KindLabel, Histogram, _>::new_with_constructor(histogram);
        registry.register(
            "worker_jobs_running",
            "Attempts that run now, by kind",
            running.clone(),
        );
        registry.register(
            "worker_attempts",
            "Attempts that ended, by kind and outcome: completed, failed, panicked, or abandoned when told to end",
            attempts.clone(),
        );
        registry.register(
            "worker_attempt_duration_seconds",
            "How long attempts ran, by kind and outcome",
            seconds.clone(),
        );
        registry.register(
            "worker_job_wait_seconds",
            "How long jobs waited for their first attempt since they came in, or were due, by kind",
            waits.clone(),
        );
        let of_kind = |kind: &Kind| {
            let label = KindLabel {
                kind: kind.as_str().to_owned(),
            };
            let labels = Outcome::ALL.map(|outcome| AttemptLabels {
                kind: label.kind.clone(),
                outcome: outcome.as_str(),
            });
            OfKind {
                running: running.get_or_create_owned(&label),
                waits: waits.get_or_create_owned(&label),
                attempts: labels
                    .each_ref()
                    .map(|labels| attempts.get_or_create_owned(labels)),
                seconds: labels.map(|labels| seconds.get_or_create_owned(&labels)),
            }
        };
        let kinds = kinds.into_iter();
        let kinds = kinds.map(|kind| (kind.clone(), Arc::new(of_kind(kind))));
        Self {
            kinds: Arc::new(kinds.collect()),
        }
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = MetricsService<S>;

    fn layer(&self, inner: S) -> MetricsService<S> {
        MetricsService {
            inner,
            metrics: self.clone(),
        }
    }
}

/// See [`MetricsLayer`].
#[derive(Clone, Debug)]
pub(crate) struct MetricsService<S> {
    inner: S,
    metrics: MetricsLayer,
}

impl<S> Service<Task<Job>> for MetricsService<S>
where
    S: Service<Task<Job>, Response = Output, Error = BoxDynError>,
    S::Future: Send + 'static,
{
    type Response = Output;
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<Output, BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, task: Task<Job>) -> Self::Future {
        let kind = self.metrics.kinds.get(&task.args.kind).cloned();
        let waited = task.data().get::<JobHandle>().and_then(JobHandle::waited);
        let attempt = self.inner.call(task);
        let Some(kind) = kind else {
            return Box::pin(attempt);
        };
        if let Some(waited) = waited {
            kind.waits.observe(waited.as_secs_f64());
        }
        Box::pin(async move {
            let mut running = Running::new(kind);
            let result = attempt.await;
            running.outcome = Outcome::of(&result);
            result
        })
    }
}

/// Counts one running attempt, also one that is dropped before its end.
struct Running {
    kind: Arc<OfKind>,
    start: Instant,
    outcome: Outcome,
}

impl Running {
    fn new(kind: Arc<OfKind>) -> Self {
        kind.running.inc();
        Self {
            kind,
            start: Instant::now(),
            outcome: Outcome::Abandoned,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let place = self.outcome as usize;
        self.kind.running.dec();
        self.kind.attempts[place].inc();
        self.kind.seconds[place].observe(self.start.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use apalis_core::task::builder::TaskBuilder;
    use futures_util::FutureExt as _;
    use prometheus_client::encoding::text::encode;
    use protocol::JobOptions;
    use serde_json::value::RawValue;
    use tower::service_fn;

    use super::*;

    fn task(kind: &str) -> Task<Job> {
        TaskBuilder::new(Job {
            kind: Kind::new(kind).unwrap(),
            payload: RawValue::NULL.to_owned(),
            options: JobOptions::default(),
        })
        .build()
    }

    #[test]
    fn attempts_are_counted_by_kind_and_outcome() {
        let mut registry = Registry::default();
        let kinds = ["chat", "report"].map(|kind| Kind::new(kind).unwrap());
        let layer = MetricsLayer::new(&mut registry, &kinds);
        let mut fails = layer.layer(service_fn(async |_: Task<Job>| {
            Err::<Output, BoxDynError>("on purpose".into())
        }));
        let mut hangs = layer.layer(service_fn(|_: Task<Job>| {
            std::future::pending::<Result<Output, BoxDynError>>()
        }));
        assert!(fails.call(task("chat")).now_or_never().unwrap().is_err());
        // Nobody knows it, so that it makes no series.
        assert!(fails.call(task("other")).now_or_never().unwrap().is_err());
        // Polled once, and dropped as the outermost layer does.
        assert!(hangs.call(task("report")).now_or_never().is_none());
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            r#"worker_attempts_total{kind="chat",outcome="failed"} 1"#,
            r#"worker_attempts_total{kind="chat",outcome="completed"} 0"#,
            r#"worker_attempts_total{kind="report",outcome="abandoned"} 1"#,
            r#"worker_attempt_duration_seconds_count{kind="chat",outcome="failed"} 1"#,
            r#"worker_jobs_running{kind="report"} 0"#,
            r#"worker_job_wait_seconds_count{kind="chat"} 0"#,
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
        assert!(!text.contains("other"), "{text}");
    }
}
