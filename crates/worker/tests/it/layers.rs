//! tower layers around handlers: tower's own and those of others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use protocol::FailureCode;
use serde_json::{json, value::to_raw_value};
use tower::{
    BoxError, ServiceBuilder, ServiceExt as _,
    buffer::BufferLayer,
    layer::layer_fn,
    limit::{ConcurrencyLimitLayer, RateLimitLayer},
    timeout::TimeoutLayer,
    util::MapRequestLayer,
};
use worker::{
    Attempt, JobContext, JobError, Next, Registry, Route, State,
    testing::{Harness, Outcome, Ran, Running},
};

use crate::functions::{failed, kind};

const LIMIT: Duration = Duration::from_secs(5);

async fn forever(context: JobContext, _: u32) -> Result<(), JobError> {
    context.log("runs").await?;
    std::future::pending().await
}

async fn double(number: u32) -> Result<u32, JobError> {
    Ok(number * 2)
}

async fn refuses(_: u32) -> Result<(), JobError> {
    Err(JobError::fatal(FailureCode::Undecodable, "never"))
}

/// Runs an attempt that is to end long before a test of paused time gives up.
async fn run(harness: &Harness, kind: &str) -> Ran {
    let ran = tokio::time::timeout(LIMIT * 100, harness.run(kind, 21));
    ran.await.expect("it ends")
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_one_kind_leaves_others_alone() {
    let limited = Route::new(forever).layer(TimeoutLayer::new(LIMIT));
    let registry = Registry::new()
        .route(kind("limited"), limited)
        .register(kind("free"), forever);
    let harness = Harness::new(registry);
    let ran = run(&harness, "limited").await;
    assert_eq!(
        failed(&ran.outcome),
        (FailureCode::Error, "request timed out", true)
    );
    let free = harness.start("free", 1).finish();
    assert!(tokio::time::timeout(LIMIT * 100, free).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_all_holds_for_kinds_that_come_later() {
    let registry = Registry::new()
        .layer(TimeoutLayer::new(LIMIT))
        .register(kind("late"), forever)
        .register(kind("quick"), double);
    let harness = Harness::new(registry);
    assert!(failed(&run(&harness, "late").await.outcome).2);
    let ran = run(&harness, "quick").await;
    assert_eq!(ran.outcome, Outcome::Completed(json!(42)));
}

/// Runs until its token is cancelled, and knows how many do.
#[derive(Clone, Default)]
struct Gauge {
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

async fn busy(context: JobContext, State(gauge): State<Gauge>, _: u32) -> Result<(), JobError> {
    let running = gauge.running.fetch_add(1, Ordering::SeqCst) + 1;
    gauge.most.fetch_max(running, Ordering::SeqCst);
    context.log("runs").await?;
    context.cancelled().cancelled().await;
    gauge.running.fetch_sub(1, Ordering::SeqCst);
    Ok(())
}

/// Starts two jobs of each kind, ends them one by one, and says how many ran at a time.
async fn most(registry: Registry<Gauge>, gauge: &Gauge) -> usize {
    let harness = Harness::new(registry);
    let jobs: Vec<Running> = ["a", "b", "a", "b"]
        .map(|kind| harness.start(kind, 1))
        .into();
    // Everyone gets as far as it can.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    for job in jobs {
        job.cancel();
        job.finish().await;
    }
    gauge.most.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_limit_around_all_is_one_limit() {
    let gauge = Gauge::default();
    let registry = Registry::with_state(gauge.clone())
        .register(kind("a"), busy)
        .register(kind("b"), busy)
        .layer(ConcurrencyLimitLayer::new(1));
    assert_eq!(most(registry, &gauge).await, 1);
}

#[tokio::test]
async fn a_limit_around_each_kind_is_one_per_kind() {
    let gauge = Gauge::default();
    let limited = || Route::new(busy).layer(ConcurrencyLimitLayer::new(1));
    let registry = Registry::with_state(gauge.clone())
        .route(kind("a"), limited())
        .route(kind("b"), limited());
    assert_eq!(most(registry, &gauge).await, 2);
}

#[tokio::test]
async fn without_a_limit_all_run() {
    let gauge = Gauge::default();
    let registry = Registry::with_state(gauge.clone())
        .register(kind("a"), busy)
        .register(kind("b"), busy);
    assert_eq!(most(registry, &gauge).await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_goes_behind_a_buffer() {
    // It is shared through the buffer, since it is no `Clone` itself.
    let limit = ServiceBuilder::new()
        .layer(BufferLayer::<Attempt>::new(8))
        .layer(RateLimitLayer::new(1, LIMIT))
        .into_inner();
    let registry = Registry::new()
        .register(kind("double"), double)
        .layer(limit);
    let harness = Harness::new(registry);
    let start = tokio::time::Instant::now();
    for _ in 0..3 {
        let ran = harness.run("double", 1).await;
        assert_eq!(ran.outcome, Outcome::Completed(json!(2)));
    }
    assert!(start.elapsed() >= LIMIT * 2);
}

#[tokio::test]
async fn a_fatal_error_stays_fatal_through_layers() {
    let registry = Registry::new()
        .route(
            kind("refuses"),
            Route::new(refuses).layer(TimeoutLayer::new(LIMIT)),
        )
        .layer(ConcurrencyLimitLayer::new(2));
    let ran = Harness::new(registry).run("refuses", 1).await;
    assert_eq!(
        failed(&ran.outcome),
        (FailureCode::Undecodable, "never", false)
    );
}

#[derive(Debug)]
struct Wrapped(BoxError);

impl std::fmt::Display for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("wrapped")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

#[tokio::test]
async fn the_handlers_own_error_is_found_in_a_layers() {
    let wrap = || layer_fn(|next: Next| next.map_err(Wrapped));
    let breaks = layer_fn(|next: Next| next.map_err(|_| Wrapped("cut".into())));
    let registry = Registry::new()
        .route(kind("own"), Route::new(refuses).layer(wrap()))
        .route(kind("other"), Route::new(refuses).layer(breaks));
    let harness = Harness::new(registry);
    let ran = harness.run("own", 1).await;
    assert_eq!(
        failed(&ran.outcome),
        (FailureCode::Undecodable, "never", false)
    );
    let ran = harness.run("other", 1).await;
    assert_eq!(failed(&ran.outcome), (FailureCode::Error, "wrapped", true));
}

/// What a layer that appends a digit makes of an attempt.
fn appends(digit: u32) -> impl Fn(Attempt) -> Attempt + Copy {
    move |attempt| {
        let old: u32 = serde_json::from_str(attempt.payload.get()).unwrap();
        Attempt {
            payload: to_raw_value(&(old * 10 + digit)).unwrap(),
            ..attempt
        }
    }
}

#[tokio::test]
async fn the_last_layer_is_the_outermost() {
    let route = Route::new(async |number: u32| Ok(number))
        .layer(MapRequestLayer::new(appends(4)))
        .layer(MapRequestLayer::new(appends(3)));
    let registry = Registry::new()
        .layer(MapRequestLayer::new(appends(2)))
        .route(kind("echo"), route)
        .layer(MapRequestLayer::new(appends(1)));
    let ran = Harness::new(registry).run("echo", 0).await;
    assert_eq!(ran.outcome, Outcome::Completed(json!(1234)));
}
