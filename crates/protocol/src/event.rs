//! What happened to a job, as published on its channel and kept in the channel's log.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Failure, JobId, Kind};

/// The types of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EventType {
    /// The job is stored; `data` is its announcement, if it has one.
    Queued,
    /// An attempt began.
    Started,
    /// The handler says how far it is, in `data`.
    Progress,
    /// A piece of streamed output, in `data`.
    Chunk,
    /// A line for people, in `data`.
    Log,
    /// An attempt failed, with `error`; there will be another.
    Retrying,
    /// Done, with the result in `data`.
    Completed,
    /// Given up, with `error`.
    Failed,
    /// Stopped on request.
    Cancelled,
}

impl EventType {
    /// The type as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Started => "started",
            Self::Progress => "progress",
            Self::Chunk => "chunk",
            Self::Log => "log",
            Self::Retrying => "retrying",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether no event of the same job comes after this one.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// One event of one job. It borrows its data from the text that it was read from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event<'a> {
    /// What happened.
    #[serde(rename = "type")]
    pub event: EventType,
    /// To which job.
    pub job: JobId,
    /// Of which kind.
    pub kind: Kind,
    /// In which attempt; 0 before the first.
    pub attempt: u32,
    /// When, by Redis' clock, in milliseconds since the Unix epoch.
    pub time: u64,
    /// What the type says: an announcement, progress, output or result.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub data: Option<&'a RawValue>,
    /// What went wrong, in `retrying` and `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// In `started`: the offset after which this attempt's output comes. What an earlier attempt put out is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
}

/// An event with its place in the channel's log, as published on Redis.
///
/// Offsets of one epoch are dense: each is one more than the last. Another epoch means another log, whose
/// offsets say nothing about those of the old one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Published<'a> {
    /// Which incarnation of the log.
    pub epoch: &'a str,
    /// Which place in it, from 1.
    pub offset: u64,
    /// What happened.
    #[serde(borrow)]
    pub event: Event<'a>,
}

#[cfg(test)]
mod tests {
    use super::{EventType, Published};

    #[test]
    fn data_is_kept_byte_for_byte() {
        let text = r#"{"epoch":"kQz","offset":3,"event":{"type":"completed","job":"01ARZ3NDEKTSV4RRFFQ69G5FAV","kind":"chat","attempt":1,"time":5,"data":{"msg":"a \u00e9","time":4}}}"#;
        let published: Published<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(published.event.event, EventType::Completed);
        assert_eq!(
            published.event.data.unwrap().get(),
            r#"{"msg":"a \u00e9","time":4}"#
        );
        assert_eq!(serde_json::to_string(&published).unwrap(), text);
    }
}
