//! A length of time as people type it: `500ms`, `10s`, `5m`, `2h`, `7d`.

use std::{fmt, str::FromStr, time::Duration};

const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// A length of time, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Millis(pub u64);

/// A text that is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("say a whole number and a unit, as 500ms, 10s, 5m, 2h or 7d")]
pub struct MillisError;

impl Millis {
    pub(crate) const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// A rest between two looks: short enough to be a live view, long enough to leave Redis alone.
    pub(crate) fn rest(text: &str) -> Result<Self, String> {
        Self::within(text, Self(100), Self(3_600_000))
    }

    /// A time of which the minutes are kept.
    pub(crate) fn kept(text: &str) -> Result<Self, String> {
        Self::within(text, Self(broker::MINUTE_MS), Self(broker::KEPT_MS))
    }

    fn within(text: &str, least: Self, most: Self) -> Result<Self, String> {
        let time: Self = text
            .parse()
            .map_err(|error: MillisError| error.to_string())?;
        if (least.0..=most.0).contains(&time.0) {
            Ok(time)
        } else {
            Err(format!("say a time between {least} and {most}"))
        }
    }
}

impl FromStr for Millis {
    type Err = MillisError;

    fn from_str(text: &str) -> Result<Self, MillisError> {
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = &text[number.len()..];
        let (_, each) = UNITS
            .into_iter()
            .find(|(name, _)| *name == unit)
            .ok_or(MillisError)?;
        // Not what `parse` takes as well: a sign.
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(MillisError);
        }
        let number: u64 = number.parse().map_err(|_| MillisError)?;
        number.checked_mul(each).map(Self).ok_or(MillisError)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, each): &&(&str, u64)| self.0.is_multiple_of(*each);
        let (name, each) = UNITS
            .iter()
            .rev()
            .find(fits)
            .filter(|_| self.0 > 0)
            .unwrap_or(&("ms", 1));
        write!(f, "{}{name}", self.0 / each)
    }
}

#[cfg(test)]
mod tests {
    use super::Millis;

    #[test]
    fn lengths_are_read_and_shown() {
        for (text, ms) in [
            ("500ms", 500),
            ("0ms", 0),
            ("10s", 10_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(text.parse(), Ok(Millis(ms)));
            assert_eq!(Millis(ms).to_string(), text);
        }
        assert_eq!(Millis(60_000).to_string(), "1m");
        assert_eq!(Millis(61_500).to_string(), "61500ms");
    }

    #[test]
    fn a_rest_is_neither_short_nor_long() {
        assert_eq!(Millis::rest("500ms"), Ok(Millis(500)));
        for text in ["99ms", "2h", "0s", "5"] {
            assert!(Millis::rest(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "10",
            "s",
            "+1s",
            "-1s",
            "1.5s",
            "1 s",
            "1w",
            "1S",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(text.parse::<Millis>().is_err(), "{text}");
        }
    }
}
