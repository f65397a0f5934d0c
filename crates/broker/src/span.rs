//! The spans of an attempt: one from its start until Redis has its outcome, and one for the writing of that.
//!
//! Knows `tracing` and no exporter: what ties a span to the trace of its job is given by the process. Where that
//! does not export, only attempts of jobs that belong to a trace have a span, for their log lines; others cost
//! nothing.

use apalis_core::task::Task;
use protocol::{Job, TraceContext};
use tracing::{Span, error_span, field::Empty, info_span};

use crate::{JobHandle, handle::Written, outcome::Outcome};

/// Which attempts have spans, and how a span comes into a trace.
#[derive(Clone, Copy, Debug)]
pub struct Spans {
    /// Whether every attempt has one, or only those whose jobs belong to a trace.
    pub all: bool,
    /// Called with each new span of an attempt, before anything else happens to it, and the trace of its job.
    pub adopt: fn(&Span, Option<&TraceContext>),
}

impl Default for Spans {
    /// Spans for the log lines of jobs that belong to a trace; nothing is exported.
    fn default() -> Self {
        Self {
            all: false,
            adopt: |_, _| {},
        }
    }
}

/// The span of an attempt, in the data of its task: whoever runs the handler enters it.
#[derive(Clone, Debug)]
pub struct AttemptSpan(pub Span);

impl Spans {
    /// Begins the span of an attempt and puts it into the task; a span that is none if there should be none.
    pub(crate) fn begin(&self, task: &mut Task<Job>, handle: &JobHandle) -> Span {
        let Job { kind, options, .. } = &task.args;
        if !self.all && options.trace.is_none() {
            return Span::none();
        }
        // Logged whatever the filter lets through, so that an error says whose it is.
        let span = error_span!(
            "attempt",
            otel.kind = "consumer",
            job.id = %handle.id(),
            job.kind = kind.as_str(),
            job.attempt = handle.attempt(),
            job.tenant = options.tenant.as_str(),
            outcome = Empty,
            otel.status_code = Empty,
            otel.status_description = Empty,
        );
        (self.adopt)(&span, options.trace.as_ref());
        task.inject_data(AttemptSpan(span.clone()));
        span
    }
}

/// Says on its span how an attempt ended, and fails it if that was a failure.
pub(crate) fn end(span: &Span, handle: &JobHandle, outcome: &Outcome) {
    if span.is_none() {
        return;
    }
    let (name, failure) = match outcome {
        Outcome::Complete(_) => ("completed", None),
        Outcome::Retry(failure, _) if handle.spent() < handle.max_attempts() => {
            ("retry", Some(failure))
        }
        Outcome::Retry(failure, _) | Outcome::Fail(failure) => ("failed", Some(failure)),
        Outcome::HandBack => ("handed_back", None),
        Outcome::Cancel => ("cancelled", None),
    };
    span.record("outcome", name);
    if let Some(failure) = failure {
        span.record("otel.status_code", "ERROR");
        span.record("otel.status_description", failure.to_string());
    }
}

/// The span of writing an outcome, in that of its attempt: it ends when Redis has stored and published it.
pub(crate) fn settle(attempt: &Span) -> Span {
    if attempt.is_none() {
        return Span::none();
    }
    info_span!(
        parent: attempt,
        "settle",
        written = Empty,
        otel.status_code = Empty
    )
}

/// Says on its span whether an outcome was written.
pub(crate) fn settled(span: &Span, written: Option<Written>) {
    span.record("written", written == Some(Written::Yes));
    if written != Some(Written::Yes) {
        span.record("otel.status_code", "ERROR");
    }
}
