//! A claimed job as far as a script needs it to complete it, or to tell of it, without reading it again.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use protocol::{EventType, JobId, limits::MAX_EVENT_DATA_BYTES};
use serde_json::value::RawValue;

use crate::{kept::Kept, stored::Stored, taken::Part};

/// How long the data of an event may be that goes the short way: `lua/round_new.lua` bounds a log's bytes by how many
/// events it has.
const SHORT_DATA: usize = 512;
/// How long a result may be that is kept in a parcel.
const SHORT_RESULT: usize = 2048;
const _: () = assert!(SHORT_DATA < MAX_EVENT_DATA_BYTES);

/// While a job's front is still the same, nothing was written about it, and this holds.
#[derive(Debug)]
pub(crate) struct Given {
    /// The run of Redis in which it was claimed.
    pub(crate) run: Arc<str>,
    /// What follows the state in the front.
    pub(crate) front: String,
    pub(crate) kind: String,
    pub(crate) tenant: String,
    /// Empty where it is the job's own id.
    pub(crate) topic: String,
    /// Of its own log.
    pub(crate) epoch: String,
    /// How many bytes its payload has, and what only workers read.
    bytes: usize,
    is_apart: bool,
    /// Its own log, if something was told there.
    log: Option<OwnLog>,
    /// The parcel that it was taken with, and its place there.
    pub(crate) part: Option<Part>,
    /// Whether it goes the long way from now on.
    is_long: AtomicBool,
}

#[derive(Debug)]
struct OwnLog {
    /// The front without the log's position.
    front: String,
    /// About how many bytes its events have.
    bytes: AtomicU64,
}

impl Given {
    /// `None` for a job that can't go the short way.
    pub(crate) fn of(stored: &Stored<'_>, run: &Arc<str>) -> Option<Self> {
        let changed = ["error", "cancel"]
            .iter()
            .any(|name| stored.option(name).is_some());
        if changed || stored.state != "active" {
            return None;
        }
        let front = stored.front.strip_prefix("active")?.strip_suffix(';')?;
        let (log, epoch) = match stored.option("log") {
            None => (None, stored.first_epoch()),
            Some(position) => {
                // Offset, first offset, bytes, run and epoch; where it had another epoch before, that too.
                let mut words = position.splitn(6, ':').skip(1);
                let (first, bytes, of_run) = (words.next()?, words.next()?, words.next()?);
                let epoch = words.next()?;
                if first != "1" || of_run != &**run || words.next().is_some() {
                    return None;
                }
                let log = OwnLog {
                    front: front.replacen(&format!(" log={position}"), "", 1),
                    bytes: AtomicU64::new(bytes.parse().ok()?),
                };
                (Some(log), epoch.to_owned())
            }
        };
        // A log of another run of Redis goes on under another epoch.
        if log.is_none() && stored.topic.is_none() && !run.starts_with(stored.born) {
            return None;
        }
        Some(Self {
            run: Arc::clone(run),
            front: front.to_owned(),
            kind: stored.kind.to_owned(),
            tenant: stored.tenant.to_owned(),
            topic: stored.topic.unwrap_or_default().to_owned(),
            epoch,
            bytes: stored.bytes(),
            is_apart: stored.is_apart,
            log,
            part: None,
            is_long: AtomicBool::new(false),
        })
    }

    /// From now on it goes the long way: its log has become long.
    pub(crate) fn go_long(&self) {
        self.is_long.store(true, Ordering::Relaxed);
    }

    /// Whether an event of it goes the short way.
    pub(crate) fn tells(&self, data: &RawValue) -> bool {
        self.log.is_some()
            && data.get().len() <= SHORT_DATA
            && !self.is_long.load(Ordering::Relaxed)
    }

    /// Counts an event that will be told.
    pub(crate) fn count(&self, id: JobId, event: EventType, data: &RawValue) {
        if let Some(log) = &self.log {
            let around =
                r#"{"type":"","job":"","kind":"","attempt":1,"time":1700000000000,"data":}"#;
            let words = event.as_str().len() + id.to_string().len() + self.kind.len();
            let bytes = around.len() + words + data.get().len();
            log.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// What it takes once it completed with a result; `None` where it goes the long way.
    pub(crate) fn kept(&self, result: &str) -> Option<Kept> {
        if self.is_long.load(Ordering::Relaxed) || result.contains('\n') {
            return None;
        }
        // As `close` in `lua/transitions.lua` counts it.
        let mut bytes = (512 + self.bytes + result.len()) as u64;
        if self.topic.is_empty() {
            bytes += 256;
        }
        let listed = self
            .log
            .as_ref()
            .map_or(0, |log| log.bytes.load(Ordering::Relaxed));
        Some(Kept::new(bytes + listed, self.log.is_some(), self.is_apart))
    }

    /// The same for one that completes with its parcel: which is read as a whole, so that its results are short.
    pub(crate) fn kept_in_parcel(&self, result: &str) -> Option<Kept> {
        let is_short = result.len() <= SHORT_RESULT;
        self.kept(result).filter(|_| is_short)
    }

    /// What stands in the record of a completed job before its result, and what it takes; `None` where it goes the long way.
    pub(crate) fn completed(&self, result: &RawValue) -> Option<Completed<'_>> {
        let result = result.get();
        let kept = self.kept(result)?;
        let (run, epoch, size) = (&self.run, &self.epoch, result.len());
        let before = format!(" kept={}", kept.bytes());
        Some(match &self.log {
            // Between the two comes its newest offset; how many bytes its log has is counted if anybody wants to know.
            Some(log) => Completed {
                front: &log.front,
                before: format!("{before} log="),
                after: Some(format!(":1:-:{run}:{epoch} result={size};")),
                kept,
            },
            None if self.topic.is_empty() => Completed {
                front: "",
                before: format!("{before} log=1:1:0:{run}:{epoch} result={size};"),
                after: None,
                kept,
            },
            None => Completed {
                front: "",
                before: format!("{before} result={size};"),
                after: None,
                kept,
            },
        })
    }
}

/// The parts of a completed job's record that do not depend on Redis.
pub(crate) struct Completed<'a> {
    /// What follows the state; empty where it is as it was.
    pub(crate) front: &'a str,
    /// What comes after when it finished.
    pub(crate) before: String,
    /// What comes after the offset of its end, if that is not known yet.
    pub(crate) after: Option<String>,
    pub(crate) kept: Kept,
}
