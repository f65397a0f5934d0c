//! A batch of new jobs as its script reads it: those that have most in common and follow each other say it once.

use std::{borrow::Cow, collections::HashSet};

use protocol::{EventLevel, IdempotencyKey, JobId, Topic};

use crate::{call::Call, extra::Extra, groups::one_line, producer::Submission};

/// How long a payload may be that is written whenever its job changes; longer ones are in a key of their own.
const INSIDE: usize = 1024;

/// What jobs of a group have in common. See `lua/enqueue_new.lua`.
#[derive(PartialEq, Eq)]
struct Header<'a> {
    mode: &'static str,
    kind: &'a str,
    tenant: &'a str,
    /// Empty where it is the job's own id.
    topic: &'a str,
    priority: u8,
    is_apart: bool,
}

struct Row<'a> {
    id: String,
    head: String,
    payload: &'a str,
    extra: String,
    say: Option<Cow<'a, str>>,
    /// Delay, time, time to live and key.
    options: String,
}

/// Writes how many jobs and groups there are, and the groups.
pub(crate) fn write(call: &mut Call<'_>, batch: &[Submission]) {
    let mut ids = HashSet::with_capacity(batch.len());
    let rows: Vec<_> = batch
        .iter()
        .map(|submission| row(submission, !ids.insert(submission.id)))
        .collect();
    let groups: Vec<_> = rows.chunk_by(|a, b| a.0 == b.0).collect();
    call.arg(batch.len()).arg(groups.len());
    for group in groups {
        let header = &group[0].0;
        let bytes = |(_, row): &(Header<'_>, Row<'_>)| row.payload.len() + row.extra.len();
        call.arg(header.mode)
            .arg(group.len())
            .arg(header.kind)
            .arg(header.tenant)
            .arg(header.topic)
            .arg(header.priority)
            .arg(group.iter().map(bytes).sum::<usize>())
            .arg(if header.is_apart { "1" } else { "" });
        for (header, row) in group {
            row.write(call, header);
        }
    }
}

/// A job, of which another may stand before it in the batch.
fn row<'a>(submission: &'a Submission, is_repeated: bool) -> (Header<'a>, Row<'a>) {
    let (job, options) = (&submission.job, &submission.job.options);
    let id = submission.id.to_string();
    let topic = options
        .topic
        .as_ref()
        .map(Topic::as_str)
        .filter(|topic| *topic != id)
        .unwrap_or_default();
    let payload = job.payload.get();
    let extra = Extra::of(options, &submission.metadata).stored();
    let is_apart = payload.len() > INSIDE;
    let key = options.key.as_ref().map_or("", IdempotencyKey::as_str);
    let (delay, run_at, ttl) = (
        options.delay_ms,
        options.run_at.unwrap_or(0),
        options.ttl_ms.unwrap_or(0),
    );
    let asks = delay != 0 || run_at != 0 || ttl != 0 || !key.is_empty();
    let say = match (&options.announce, options.events) {
        (Some(announce), _) => Some(one_line(announce.get())),
        (None, EventLevel::All) => Some("".into()),
        (None, EventLevel::Outcome) => None,
    };
    let is_special = asks || is_repeated || topic.parse::<JobId>().is_ok();
    let header = Header {
        mode: match &say {
            _ if is_special => "x",
            Some(_) => "s",
            None => "n",
        },
        kind: job.kind.as_str(),
        tenant: options.tenant.as_str(),
        topic,
        priority: options.priority.line(),
        is_apart,
    };
    // What scripts only copy comes as it is stored: `lua/job.lua` says how.
    let mut head = format!(
        "{}{}{}{} {} {} {} {} {}",
        match options.events {
            EventLevel::All => 'a',
            EventLevel::Outcome => 'o',
        },
        if is_apart { 'x' } else { 'i' },
        if ttl == 0 { 'f' } else { 'e' },
        payload.len(),
        header.kind,
        options.max_attempts,
        header.priority,
        header.tenant,
        if topic.is_empty() { "=" } else { topic },
    );
    if !extra.is_empty() {
        head = format!("{head} extra={}", extra.len());
    }
    if !key.is_empty() {
        head = format!("{head} key={key}");
    }
    let row = Row {
        id,
        head,
        payload,
        extra,
        say,
        options: if asks {
            format!("{delay} {run_at} {ttl} {key}")
        } else {
            String::new()
        },
    };
    (header, row)
}

impl Row<'_> {
    fn write(&self, call: &mut Call<'_>, header: &Header<'_>) {
        call.arg(&self.id);
        if header.mode == "x" {
            call.arg(&self.head)
                .arg(self.payload)
                .arg(&self.extra)
                .arg(self.say.as_deref().unwrap_or("-"))
                .arg(&self.options);
            return;
        }
        let inside = if header.is_apart { "" } else { self.payload };
        call.arg([&self.head, "\n", inside, &self.extra].concat());
        if let Some(say) = &self.say {
            call.arg(&**say);
        }
        if header.is_apart {
            call.arg(self.payload);
        }
    }
}
