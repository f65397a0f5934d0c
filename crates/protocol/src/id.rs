//! The id of a job.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// A job's id: a ULID, 26 characters of Crockford's base 32, which sort by the time of their making.
///
/// Ids are made where a job enters the system, never here: this crate reads no clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(Ulid);

/// A text that is no job id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a job id (26 characters of Crockford's base 32)")]
pub struct JobIdError(String);

impl JobId {
    /// An id of its parts: milliseconds since the Unix epoch (48 bits are used) and 80 random bits.
    pub const fn from_parts(timestamp_ms: u64, random: u128) -> Self {
        Self(Ulid::from_parts(timestamp_ms, random))
    }

    /// When the id was made, in milliseconds since the Unix epoch.
    pub const fn timestamp_ms(self) -> u64 {
        self.0.timestamp_ms()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; ulid::ULID_LEN];
        f.write_str(self.0.array_to_str(&mut buffer))
    }
}

impl FromStr for JobId {
    type Err = JobIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ulid::from_string(text)
            .map(Self)
            .map_err(|_| JobIdError(text.chars().take(64).collect()))
    }
}

impl Serialize for JobId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(IdVisitor)
    }
}

struct IdVisitor;

impl serde::de::Visitor<'_> for IdVisitor {
    type Value = JobId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a job id")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<JobId, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::JobId;

    #[test]
    fn text_round_trips_and_sorts_by_time() {
        let early = JobId::from_parts(1_700_000_000_000, 7);
        let late = JobId::from_parts(1_700_000_000_001, 1);
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(early.to_string().len(), 26);
        assert!(early.to_string() < late.to_string());
        assert_eq!(late.timestamp_ms(), 1_700_000_000_001);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "x",
            "01ARZ3NDEKTSV4RRFFQ69G5FA",
            "01ARZ3NDEKTSV4RRFFQ69G5FA!",
        ] {
            assert!(text.parse::<JobId>().is_err(), "{text}");
        }
    }
}
