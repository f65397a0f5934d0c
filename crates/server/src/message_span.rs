//! The span of one message, from its frame to the receipt of its job: the beginning of its trace.
//!
//! Where nothing is exported it is none, and a message costs one look at a flag more.

use broker::{Receipt, Spans, SubmitError};
use protocol::{Job, TraceContext};
use service::traces;
use tracing::{Span, field::Empty, info_span};

/// Of round trips that store jobs, where traces are exported.
pub(crate) fn spans() -> Spans {
    Spans {
        all: traces::is_on(),
        adopt,
        ..Spans::default()
    }
}

fn adopt(span: &Span, trace: Option<&TraceContext>) {
    let parent = trace.map(|trace| (trace.traceparent.as_str(), trace.tracestate.as_deref()));
    traces::adopt(span, parent);
}

/// The span of a message on its way into the queue.
#[derive(Clone, Debug)]
pub(crate) struct MessageSpan(Span);

impl MessageSpan {
    /// Begins the span of a message of so many bytes. The job goes on with it, unless it came with a trace of its own:
    /// then that is the parent of both.
    pub(crate) fn begin(queue: &str, job: &mut Job, bytes: usize) -> Self {
        if !traces::is_on() {
            return Self(Span::none());
        }
        let span = info_span!(
            "frame",
            otel.kind = "producer",
            queue,
            job.kind = job.kind.as_str(),
            job.id = Empty,
            bytes,
            outcome = Empty,
            otel.status_code = Empty,
            otel.status_description = Empty,
        );
        adopt(&span, job.options.trace.as_ref());
        if job.options.trace.is_none() {
            job.options.trace = traces::context(&span).map(|context| TraceContext {
                traceparent: context.traceparent,
                tracestate: context.tracestate,
            });
        }
        Self(span)
    }

    /// Says what became of the message. The span ends with its last clone.
    pub(crate) fn end(&self, result: &Result<Receipt, SubmitError>) {
        let Self(span) = self;
        if span.is_none() {
            return;
        }
        match result {
            Ok(receipt) => {
                span.record("job.id", receipt.id.to_string());
                let outcome = if receipt.duplicate {
                    "duplicate"
                } else {
                    "accepted"
                };
                span.record("outcome", outcome);
            }
            Err(error) => {
                span.record("outcome", error.code().as_str());
                span.record("otel.status_code", "ERROR");
                span.record("otel.status_description", error.to_string());
            }
        }
    }
}
