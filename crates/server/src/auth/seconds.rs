//! Times in tokens: seconds since the Unix epoch, whole or with a fraction.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

/// A time in seconds since the Unix epoch; the fraction is dropped, and what was before the epoch is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) u64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecondsVisitor)
    }
}

struct SecondsVisitor;

impl Visitor<'_> for SecondsVisitor {
    type Value = Seconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds")
    }

    fn visit_u64<E>(self, value: u64) -> Result<Seconds, E> {
        Ok(Seconds(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Seconds, E> {
        Ok(Seconds(value.try_into().unwrap_or(0)))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` keeps to the range of the target"
    )]
    fn visit_f64<E>(self, value: f64) -> Result<Seconds, E> {
        Ok(Seconds(value as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::Seconds;

    #[test]
    fn every_number_is_a_time() {
        for (json, seconds) in [
            ("0", 0),
            ("1700000000", 1_700_000_000),
            ("1700000000.9", 1_700_000_000),
            ("1.7e9", 1_700_000_000),
            ("-1", 0),
            ("-1.5", 0),
            ("1e300", u64::MAX),
            ("18446744073709551616", u64::MAX),
        ] {
            let read: Seconds = serde_json::from_str(json).unwrap();
            assert_eq!(read, Seconds(seconds), "{json}");
        }
        for json in ["\"1700000000\"", "true", "[1]", "{}"] {
            assert!(serde_json::from_str::<Seconds>(json).is_err(), "{json}");
        }
    }
}
