//! Traces of a process: spans that belong to the trace of a message, exported to a collector if there is one.
//!
//! Without an endpoint nothing is exported, no context is made and [`is_on`] is false, so that who would make a span a
//! message can leave it. A span that was given a parent says its trace in logs all the same. Never delays anything:
//! spans wait in a bounded queue and are dropped when it is full.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{
    Span as _, SpanBuilder, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::{Span, debug};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan as _;

use crate::collector::Collector;
use crate::endpoint::Endpoint;

/// How long the end of the process may wait for the last spans to be delivered.
const LAST_WAIT: Duration = Duration::from_secs(2);
/// The same, where the spans before them were not delivered.
const LAST_TRY: Duration = Duration::from_millis(500);
const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

/// What this process exports with, once it does: like the subscriber, there is one a process.
static EXPORT: OnceLock<Export> = OnceLock::new();

#[derive(Debug)]
struct Export {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    collector: Collector,
}

/// The place of a span in a distributed trace, as the W3C writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanContext {
    /// `00-<trace>-<span>-<flags>`.
    pub traceparent: String,
    /// What vendors add.
    pub tracestate: Option<String>,
}

/// The trace of a span, for its log lines.
pub(crate) struct TraceId(pub(crate) String);

/// Whether this process exports spans. Cheap enough to be asked for each message.
pub fn is_on() -> bool {
    EXPORT.get().is_some()
}

/// Starts to export, inside a tokio runtime, if there is an endpoint. The tracer is for the subscriber.
pub(crate) fn start(
    endpoint: Option<&str>,
    service_name: &'static str,
) -> anyhow::Result<Option<SdkTracer>> {
    let Some(endpoint) = Endpoint::read(endpoint)? else {
        return Ok(None);
    };
    let runtime = Handle::try_current().context("traces need a tokio runtime")?;
    let url = endpoint.url.clone();
    let collector = Collector::new(endpoint, runtime);
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(collector.clone())
        .with_endpoint(url)
        .with_protocol(Protocol::HttpBinary)
        .build()
        .map_err(|error| anyhow!("traces can't be exported: {error}"))?;
    // The sampler, the batches and more of the resource are the SDK's own OTEL_ variables.
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource(service_name))
        .build();
    let tracer = provider.tracer(service_name);
    EXPORT
        .set(Export {
            provider,
            tracer: tracer.clone(),
            collector,
        })
        .map_err(|_| anyhow!("traces were started before"))?;
    Ok(Some(tracer))
}

/// Who the spans come from. A name in the environment wins, as everywhere with OpenTelemetry.
fn resource(service_name: &'static str) -> Resource {
    let is_named = std::env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty())
        || std::env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|all| all.contains("service.name="));
    let mut builder = Resource::builder()
        .with_attribute(KeyValue::new("process.pid", i64::from(std::process::id())));
    if !is_named {
        builder = builder.with_service_name(service_name);
    }
    builder.build()
}

/// Delivers what waits, as the last act of the process. Gives up at once when the collector can't be reached, and
/// after two seconds in any case; after half of one if it could not be reached before.
pub(crate) async fn flush() {
    let Some(Export {
        provider,
        collector,
        ..
    }) = EXPORT.get()
    else {
        return;
    };
    let patience = if collector.is_reached() {
        LAST_WAIT
    } else {
        LAST_TRY
    };
    let (done, ended) = oneshot::channel();
    // Not tokio's: the end of the runtime would wait for it.
    let thread = std::thread::Builder::new().name("last spans".to_owned());
    let started = thread.spawn(move || drop(done.send(provider.shutdown_with_timeout(patience))));
    if started.is_err() {
        return;
    }
    tokio::select! {
        result = tokio::time::timeout(patience, ended) => debug!(?result, "traces flushed"),
        () = collector.lost() => debug!("traces not flushed"),
    }
}

/// Makes a new span a child of a span elsewhere, and lets its log lines say its trace. Without a parent, only that.
///
/// Must be called before anything else happens to the span.
pub fn adopt(span: &Span, parent: Option<(&str, Option<&str>)>) {
    if let Some((traceparent, tracestate)) = parent {
        // Where nothing is exported there is nobody to tell.
        let _ = span.set_parent(elsewhere(traceparent, tracestate));
    }
    let id = parent
        .and_then(|(traceparent, _)| traceparent.split('-').nth(1).map(str::to_owned))
        .or_else(|| {
            let context = span.context();
            let context = context.span().span_context().clone();
            context.is_valid().then(|| context.trace_id().to_string())
        });
    let Some(id) = id else { return };
    span.with_subscriber(|(span, subscriber)| {
        let registry = subscriber.downcast_ref::<Registry>()?;
        registry.span(span)?.extensions_mut().replace(TraceId(id));
        Some(())
    });
}

/// Exports a span that is over already: what happened where nobody could watch it, such as a wait.
pub fn past(
    name: &'static str,
    (traceparent, tracestate): (&str, Option<&str>),
    (from, to): (SystemTime, SystemTime),
    attributes: impl IntoIterator<Item = (&'static str, String)>,
) {
    let Some(Export { tracer, .. }) = EXPORT.get() else {
        return;
    };
    let attributes = attributes.into_iter();
    let builder = SpanBuilder::from_name(name)
        .with_start_time(from)
        .with_attributes(attributes.map(|(key, value)| KeyValue::new(key, value)));
    let mut span = tracer.build_with_context(builder, &elsewhere(traceparent, tracestate));
    span.end_with_timestamp(to);
}

/// The context of a span in another process, or of one that is over.
fn elsewhere(traceparent: &str, tracestate: Option<&str>) -> Context {
    let mut carrier = HashMap::from([(PARENT.to_owned(), traceparent.to_owned())]);
    carrier.extend(tracestate.map(|state| (STATE.to_owned(), state.to_owned())));
    TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier)
}

/// Where a span is in its trace, for those who go on with it elsewhere. `None` if nothing is exported.
pub fn context(span: &Span) -> Option<SpanContext> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    Some(SpanContext {
        traceparent: carrier.remove(PARENT)?,
        tracestate: carrier.remove(STATE).filter(|state| !state.is_empty()),
    })
}
