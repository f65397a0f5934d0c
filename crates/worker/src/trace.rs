//! Ties the spans of an attempt, and of the wait for it, to the trace that its job came with.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use broker::Waited;
use protocol::TraceContext;
use service::traces;
use tracing::Span;

/// Makes the span a child of the one in which the job was handed in, if that is known.
pub(crate) fn adopt(span: &Span, trace: Option<&TraceContext>) {
    let parent = trace.map(|trace| (trace.traceparent.as_str(), trace.tracestate.as_deref()));
    traces::adopt(span, parent);
}

/// Exports the wait of a job, which nobody watched: by the clock of Redis, not by that of this machine.
pub(crate) fn waited(wait: &Waited<'_>) {
    let trace = wait.trace;
    let at = |ms| -> SystemTime { UNIX_EPOCH + Duration::from_millis(ms) };
    traces::past(
        "wait",
        (&trace.traceparent, trace.tracestate.as_deref()),
        (at(wait.from), at(wait.to.max(wait.from))),
        [("job.id", wait.id.to_string())],
    );
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
    use protocol::TraceContext;
    use tracing::info_span;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::adopt;

    /// The spans of a handler's own work and of its attempt, in the order in which they ended.
    fn spans(trace: Option<&TraceContext>) -> [SpanData; 2] {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let attempt = info_span!("attempt");
            adopt(&attempt, trace);
            attempt.in_scope(|| info_span!("own").in_scope(|| ()));
        });
        exporter.get_finished_spans().unwrap().try_into().unwrap()
    }

    #[test]
    fn the_trace_of_a_job_is_the_parent_of_its_attempt() {
        let trace = TraceContext {
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
            tracestate: Some("vendor=x".to_owned()),
        };
        let [own, attempt] = spans(Some(&trace));
        let context = &attempt.span_context;
        assert_eq!(
            context.trace_id().to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        assert_eq!(attempt.parent_span_id.to_string(), "b7ad6b7169203331");
        assert_eq!(context.trace_state().get("vendor"), Some("x"));
        assert_eq!(own.parent_span_id, context.span_id());
        assert_eq!(own.span_context.trace_id(), context.trace_id());
    }

    #[test]
    fn without_one_the_attempt_begins_a_trace() {
        let [_, attempt] = spans(None);
        assert_eq!(attempt.parent_span_id.to_string(), "0000000000000000");
        assert!(attempt.span_context.is_valid());
    }
}
