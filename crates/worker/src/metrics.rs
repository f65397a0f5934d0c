//! What a worker counts, and the layer that counts it.

use std::{
    sync::atomic::AtomicU64,
    task::{Context, Poll},
    time::Instant,
};

use apalis_core::{error::BoxDynError, task::Task};
use broker::{JobError, Output};
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
use protocol::Job;
use tower::{Layer, Service};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Counts attempts. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct MetricsLayer {
    running: Gauge,
    attempts: Family<Outcome, Counter<u64, AtomicU64>>,
    seconds: Histogram,
}

impl MetricsLayer {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            running: Gauge::default(),
            attempts: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.001, 4.0, 10)),
        };
        registry.register(
            "worker_jobs_running",
            "Attempts that run now",
            metrics.running.clone(),
        );
        registry.register(
            "worker_attempts",
            "Attempts that ended, by outcome: completed, failed or panicked",
            metrics.attempts.clone(),
        );
        registry.register(
            "worker_attempt_duration_seconds",
            "How long attempts ran",
            metrics.seconds.clone(),
        );
        metrics
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
        let metrics = self.metrics.clone();
        let attempt = self.inner.call(task);
        Box::pin(async move {
            let running = Running::new(metrics.running);
            let start = Instant::now();
            let result = attempt.await;
            drop(running);
            metrics.seconds.observe(start.elapsed().as_secs_f64());
            let outcome = Outcome {
                outcome: outcome(&result),
            };
            metrics.attempts.get_or_create(&outcome).inc();
            result
        })
    }
}

/// Counts one running attempt, also one that is dropped before its end.
struct Running(Gauge);

impl Running {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn outcome(result: &Result<Output, BoxDynError>) -> &'static str {
    match result {
        Ok(_) => "completed",
        Err(error) => match error.downcast_ref::<JobError>() {
            Some(error) if error.failure().code == protocol::FailureCode::Panic => "panicked",
            _ => "failed",
        },
    }
}
