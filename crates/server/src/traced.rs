//! Which jobs of this server belong to a trace, until their results are delivered: so that a trace can end where the client
//! has its answer.
//!
//! An event carries no trace; so the server that handed a job in remembers, and others make no span. Bounded in jobs and in
//! time, and empty where nothing is exported or the trace is not sampled.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use broker::Envelope;
use protocol::{JobId, TraceContext};
use service::traces;
use tracing::{Span, field::Empty, info_span};

use crate::encode::is_end;

/// How many jobs are remembered; of more, the oldest are forgotten.
const MOST: usize = 4096;
/// For how long: who waits for a result has given up by then.
const KEPT: Duration = Duration::from_secs(3600);

/// Jobs that were handed in here and whose results were not delivered yet. Their ids begin with the time, so that the first
/// is the oldest.
#[derive(Debug, Default)]
pub(crate) struct Traced(Mutex<BTreeMap<JobId, (Instant, TraceContext)>>);

impl Traced {
    /// A job is handed in.
    pub(crate) fn submitted(&self, id: JobId, trace: Option<&TraceContext>) {
        if let Some(trace) = trace.filter(|trace| traces::is_on() && is_sampled(trace)) {
            self.keep(id, trace.clone(), Instant::now());
        }
    }

    /// It was not taken, or is another one.
    pub(crate) fn forget(&self, id: JobId) {
        if traces::is_on() {
            self.lock().remove(&id);
        }
    }

    /// The spans of delivering these events: one for each result of a job that was handed in here. They end when they are
    /// dropped.
    pub(crate) fn delivery(&self, channel: &str, events: &[Envelope<'_>]) -> Vec<Span> {
        if !traces::is_on() {
            return Vec::new();
        }
        let over = events.iter().filter_map(|event| ended(event.event.get()));
        over.filter_map(|id| {
            let (_, trace) = self.lock().remove(&id)?;
            let span = info_span!(
                "delivery",
                otel.kind = "consumer",
                job.id = %id,
                channel,
                outboxes = Empty,
            );
            let parent = (&*trace.traceparent, trace.tracestate.as_deref());
            traces::adopt(&span, Some(parent));
            Some(span)
        })
        .collect()
    }

    fn keep(&self, id: JobId, trace: TraceContext, now: Instant) {
        let mut jobs = self.lock();
        let is_old = |since: Instant| now.saturating_duration_since(since) > KEPT;
        while jobs.len() >= MOST
            || jobs
                .first_key_value()
                .is_some_and(|(_, (since, _))| is_old(*since))
        {
            jobs.pop_first();
        }
        jobs.insert(id, (now, trace));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, (Instant, TraceContext)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether whoever began the trace wants it: the last flag of the W3C's text.
fn is_sampled(trace: &TraceContext) -> bool {
    let flags = trace.traceparent.rsplit('-').next();
    let flags = flags.and_then(|flags| u8::from_str_radix(flags, 16).ok());
    flags.is_some_and(|flags| flags & 1 == 1)
}

/// The job that an event ends. The script writes an event's members in this order.
fn ended(event: &str) -> Option<JobId> {
    if !is_end(event) {
        return None;
    }
    let (_, rest) = event.split_once(r#"","job":""#)?;
    rest.get(..26)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(flags: &str) -> TraceContext {
        TraceContext {
            traceparent: format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}"),
            tracestate: None,
        }
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let traced = Traced::default();
        let now = Instant::now();
        let id = |n: u64| JobId::from_parts(n, 0);
        for n in 0..=MOST as u64 {
            traced.keep(id(n), trace("01"), now);
        }
        assert_eq!(traced.lock().len(), MOST);
        assert!(!traced.lock().contains_key(&id(0)));
        let later = now + KEPT + Duration::from_secs(1);
        traced.keep(id(9_999), trace("01"), later);
        assert_eq!(traced.lock().len(), 1);
    }

    #[test]
    fn only_what_is_sampled_is_remembered() {
        assert!(is_sampled(&trace("01")) && is_sampled(&trace("03")));
        assert!(!is_sampled(&trace("00")) && !is_sampled(&trace("x")));
        // Nothing is exported in this process.
        let traced = Traced::default();
        traced.submitted(JobId::from_parts(1, 1), Some(&trace("01")));
        assert!(traced.lock().is_empty());
    }

    #[test]
    fn results_say_whose_they_are() {
        let id = JobId::from_parts(1, 1);
        let event = |name: &str| format!(r#"{{"type":"{name}","job":"{id}","kind":"chat"}}"#);
        for name in ["completed", "failed", "cancelled"] {
            assert_eq!(ended(&event(name)), Some(id));
        }
        assert_eq!(ended(&event("progress")), None);
        assert_eq!(ended(r#"{"type":"completed","job":"é"}"#), None);
    }
}
