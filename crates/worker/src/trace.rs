//! Ties the span of an attempt to the trace that its job came with.

use protocol::TraceContext;
use service::traces;
use tracing::Span;

/// Makes the span a child of the one in which the job was handed in, if that is known.
pub(crate) fn adopt(span: &Span, trace: Option<&TraceContext>) {
    let parent = trace.map(|trace| (trace.traceparent.as_str(), trace.tracestate.as_deref()));
    traces::adopt(span, parent);
}
