//! A place in a log as clients hold it: `epoch:offset`, the id of a server-sent event.

use std::fmt;

use broker::Position;
use protocol::JobRecord;

use super::Problem;

/// Stands for the epoch where there is no log any more, and only the end of the job is known, by its time.
const END: &str = "end";

/// The place of an event.
pub(super) struct At<'a>(pub(super) &'a Position);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.epoch, self.0.offset)
    }
}

/// Reads what a client sent back.
pub(super) fn parse(text: &str) -> Result<Option<Position>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let place = text.split_once(':').filter(|(epoch, offset)| {
        (1..=64).contains(&epoch.len())
            && (1..=15).contains(&offset.len())
            && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && offset.bytes().all(|byte| byte.is_ascii_digit())
    });
    let place = place.and_then(|(epoch, offset)| {
        Some(Position {
            epoch: epoch.to_owned(),
            offset: offset.parse().ok()?,
        })
    });
    let why = "the last event's id is `epoch:offset`, as it came with the event";
    place.map(Some).ok_or_else(|| Problem::malformed(why))
}

/// The place of a job's end that no log has.
pub(super) fn end_of(job: &JobRecord) -> Position {
    Position {
        epoch: END.to_owned(),
        offset: job.finished_at.unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::{At, parse};

    #[test]
    fn places_come_back_as_they_went() {
        let place = parse("kqzftabc:41").unwrap().unwrap();
        assert_eq!((place.epoch.as_str(), place.offset), ("kqzftabc", 41));
        assert_eq!(At(&place).to_string(), "kqzftabc:41");
        assert!(parse("").unwrap().is_none());
        for wrong in [
            "a",
            ":",
            "a:",
            ":1",
            "a:-1",
            "a:+1",
            "a b:1",
            "a:1:2",
            "a:1234567890123456",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
