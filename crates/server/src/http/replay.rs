//! One job's events out of its channel's log, from a place on, and without hiding a gap.
//!
//! Several jobs may share a log; what others say is skipped and still counts, for offsets are dense only over all of them.

use std::collections::VecDeque;
use std::sync::Arc;

use broker::{Feed, Part, Position, Redis};
use protocol::{EventType, JobId, JobRecord, JobState};

use super::{
    place::{self, At},
    watch::read,
};
use crate::tail::Item;

/// How many events one read brings, and how many bytes end one.
const PAGE: usize = 300;
const PAGE_BYTES: usize = 64 * 1024;

/// What a client has of a job, and what it is to be sent next.
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct Replay {
    redis: Redis,
    feed: Feed,
    job: JobId,
    at: Position,
    /// Nothing of the job was seen yet, and the client asked for all of it.
    fresh: bool,
    /// The log was cut before the first event of it that is still there.
    cut: bool,
    /// The job's latest event was its terminal one.
    pub(super) over: bool,
    /// An event of the job was seen since somebody looked.
    seen: bool,
    /// That something is missing was the last thing said.
    missing: bool,
    /// What is to be sent.
    text: String,
}

/// Whether there may be more to read at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Top,
}

impl Replay {
    /// From after a place, or from the job's beginning.
    pub(super) fn new(redis: Redis, feed: Feed, job: JobId, after: Option<Position>) -> Self {
        Self {
            redis,
            feed,
            job,
            fresh: after.is_none(),
            at: after.unwrap_or_default(),
            cut: false,
            over: false,
            seen: false,
            missing: false,
            text: String::new(),
        }
    }

    /// Whether an event of the job was seen since this was asked last.
    pub(super) const fn saw_any(&mut self) -> bool {
        std::mem::replace(&mut self.seen, false)
    }

    /// Whether there is nothing to send.
    pub(super) const fn is_silent(&self) -> bool {
        self.text.is_empty()
    }

    /// What is to be sent now.
    pub(super) fn take(&mut self) -> Option<String> {
        (!self.text.is_empty()).then(|| std::mem::take(&mut self.text))
    }

    /// Reads on in the log.
    pub(super) async fn read(&mut self) -> Result<Progress, broker::Error> {
        let part = Part::After(self.at.offset);
        let page = self.redis.log(&self.feed, part, PAGE, PAGE_BYTES).await?;
        let top = &page.top;
        if top.position.epoch.is_empty() {
            if !self.at.epoch.is_empty() {
                self.at = Position::default();
                self.miss();
            }
            return Ok(Progress::Top);
        }
        let goes_on = self.at.epoch.is_empty() || top.goes_on_from(&self.at);
        if !goes_on {
            // What comes after the last place that both logs share was never seen.
            let shared = top.shares_until(&self.at.epoch).unwrap_or(0);
            self.at.offset = shared.min(self.at.offset);
        }
        self.at.epoch.clone_from(&top.position.epoch);
        if !goes_on {
            self.miss();
            return Ok(Progress::More);
        }
        for (offset, event) in &page.entries {
            if *offset > self.at.offset + 1 {
                self.at.offset = offset - 1;
                self.skip();
            }
            self.at.offset = *offset;
            self.see(event);
        }
        if self.at.offset >= top.position.offset {
            return Ok(Progress::Top);
        }
        if page.entries.is_empty() {
            self.at.offset = top.position.offset;
            self.skip();
            return Ok(Progress::Top);
        }
        Ok(Progress::More)
    }

    /// Takes what came live. No: something is missing before it, and has to be read.
    pub(super) fn follow(&mut self, items: &VecDeque<Arc<Item>>) -> bool {
        for item in items {
            let same = *item.epoch == *self.at.epoch;
            if same && item.offset <= self.at.offset {
                continue;
            }
            if !same || item.offset != self.at.offset + 1 {
                return false;
            }
            self.at.offset = item.offset;
            self.see(&item.event);
        }
        true
    }

    /// All that the log has was read. If it was cut, and nothing of the job is left in it, something may be missing.
    pub(super) fn rest(&mut self) {
        if std::mem::take(&mut self.cut) {
            self.miss();
        }
    }

    /// Tells the end of a job whose terminal event is in no log any more.
    pub(super) fn end(&mut self, job: &JobRecord) {
        if self.at.epoch.is_empty() {
            self.at = place::end_of(job);
        }
        self.miss();
        let event = match job.state {
            JobState::Completed => EventType::Completed,
            JobState::Failed => EventType::Failed,
            _ => EventType::Cancelled,
        };
        let event = protocol::Event {
            event,
            job: job.id,
            kind: job.kind.clone(),
            attempt: job.attempt,
            time: job.finished_at.unwrap_or(0),
            data: job.result.as_deref(),
            error: job.error.clone().filter(|_| event == EventType::Failed),
            from: None,
        };
        let json = serde_json::to_string(&event).expect("an event is JSON");
        self.say(event.event.as_str(), &json);
        self.over = true;
    }

    fn see(&mut self, json: &str) {
        let Some(event) = read(json).filter(|event| event.job == self.job) else {
            return;
        };
        let first = event.event == EventType::Queued && event.attempt == 0;
        if std::mem::take(&mut self.cut) && !first {
            self.at.offset -= 1;
            self.miss();
            self.at.offset += 1;
        }
        self.fresh = false;
        self.missing = false;
        self.seen = true;
        self.over = event.event.is_terminal();
        self.say(event.event.as_str(), json);
    }

    /// Part of the log is gone. To who has seen nothing of the job that matters only if the job was in it.
    fn skip(&mut self) {
        if self.fresh {
            self.cut = true;
        } else {
            self.miss();
        }
    }

    fn miss(&mut self) {
        self.fresh = false;
        self.cut = false;
        if !std::mem::replace(&mut self.missing, true) {
            self.say("gap", r#"{"type":"gap"}"#);
        }
    }

    fn say(&mut self, event: &str, json: &str) {
        use std::fmt::Write as _;
        // A line ends a field here; in JSON it can only stand between two words.
        let json = json.replace(['\r', '\n'], " ");
        let at = At(&self.at);
        let written = write!(self.text, "id: {at}\nevent: {event}\ndata: {json}\n\n");
        written.expect("a string takes all");
    }
}
