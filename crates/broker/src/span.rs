//! The spans of a job: that of the round trip which stores it, of its wait, of each attempt until Redis has its outcome, and
//! of the publishing of that.
//!
//! Knows `tracing` and no exporter: what ties a span to the trace of its job is given by the process. Where that
//! does not export, only attempts of jobs that belong to a trace have a span, for their log lines; others cost
//! nothing.

use apalis_core::task::Task;
use protocol::{Job, JobId, TraceContext};
use tracing::{Span, error_span, field::Empty, info_span};

use crate::{JobHandle, handle::Written, outcome::Outcome, producer::Submission};

/// Which attempts have spans, and how a span comes into a trace.
#[derive(Clone, Copy, Debug)]
pub struct Spans {
    /// Whether every attempt has one, or only those whose jobs belong to a trace.
    pub all: bool,
    /// Called with each new span, before anything else happens to it, and the trace of its job.
    pub adopt: fn(&Span, Option<&TraceContext>),
    /// Called where every attempt has one, with the wait of a job that belongs to a trace, once it is over.
    pub waited: fn(&Waited<'_>),
}

/// How long a job waited for its first attempt, in milliseconds since the Unix epoch by Redis' clock.
#[derive(Clone, Copy, Debug)]
pub struct Waited<'a> {
    /// The job.
    pub id: JobId,
    /// Its trace.
    pub trace: &'a TraceContext,
    /// When it came in, or was due.
    pub from: u64,
    /// When it was claimed.
    pub to: u64,
}

impl Default for Spans {
    /// Spans for the log lines of jobs that belong to a trace; nothing is exported.
    fn default() -> Self {
        Self {
            all: false,
            adopt: |_, _| {},
            waited: |_| {},
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
        if let (true, Some(trace), Some((from, to))) =
            (self.all, &options.trace, handle.fixed().wait)
        {
            let id = handle.id();
            (self.waited)(&Waited {
                id,
                trace,
                from,
                to,
            });
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

/// The spans of a round trip that stores jobs: one for each that belongs to a trace, and none where nothing is exported.
pub(crate) fn enqueue(spans: &Spans, batch: &[Submission]) -> Vec<Span> {
    if !spans.all {
        return Vec::new();
    }
    let traced = batch.iter().filter_map(|submission| {
        let trace = submission.job.options.trace.as_ref()?;
        let span = info_span!(
            "enqueue",
            otel.kind = "client",
            job.id = %submission.id.get(),
            batch = batch.len(),
            otel.status_code = Empty,
            otel.status_description = Empty,
        );
        (spans.adopt)(&span, Some(trace));
        Some(span)
    });
    traced.collect()
}

/// Says on the spans of a round trip that it failed.
pub(crate) fn not_stored(spans: &[Span], error: &crate::Error) {
    for span in spans {
        span.record("otel.status_code", "ERROR");
        span.record("otel.status_description", error.to_string());
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

/// The span of publishing an outcome, in that of its attempt: it ends when Redis has stored and published it.
pub(crate) fn publish(attempt: &Span) -> Span {
    if attempt.is_none() {
        return Span::none();
    }
    info_span!(
        parent: attempt,
        "publish",
        otel.kind = "client",
        written = Empty,
        otel.status_code = Empty
    )
}

/// Says on its span whether an outcome was written.
pub(crate) fn published(span: &Span, written: Option<Written>) {
    span.record("written", written == Some(Written::Yes));
    if written != Some(Written::Yes) {
        span.record("otel.status_code", "ERROR");
    }
}
