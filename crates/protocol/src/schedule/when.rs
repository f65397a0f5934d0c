//! The times of a schedule, as they are said: never computed here.

use serde::{Deserialize, Serialize};

/// At which times a schedule runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Said", into = "Said")]
pub enum When {
    /// At the times that a cron text names on the clocks of a zone.
    Cron {
        /// Second, minute, hour, day, month, weekday; five fields mean second 0.
        cron: String,
        /// The name of a zone in the IANA database.
        zone: String,
    },
    /// Again and again, whatever clocks on walls do.
    Every {
        /// The interval, in milliseconds.
        every_ms: u64,
        /// When the first is; one interval after it was set if absent.
        from: Option<u64>,
    },
    /// Once.
    At {
        /// When, in milliseconds since the Unix epoch.
        at: u64,
    },
}

/// What is said of times that are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWhen {
    /// None of the three, or several.
    #[error("when: say one of `cron`, `every_ms` and `at`")]
    NotOne,
    /// A zone without a cron.
    #[error("when: a `zone` belongs to a `cron`")]
    Zone,
    /// A beginning without an interval.
    #[error("when: `from` belongs to `every_ms`")]
    From,
}

/// The fields as they are written.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    every_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
}

impl TryFrom<Said> for When {
    type Error = InvalidWhen;

    fn try_from(said: Said) -> Result<Self, InvalidWhen> {
        if said.zone.is_some() && said.cron.is_none() {
            return Err(InvalidWhen::Zone);
        }
        if said.from.is_some() && said.every_ms.is_none() {
            return Err(InvalidWhen::From);
        }
        match (said.cron, said.every_ms, said.at) {
            (Some(cron), None, None) => Ok(Self::Cron {
                cron,
                zone: said.zone.unwrap_or_else(|| "UTC".to_owned()),
            }),
            (None, Some(every_ms), None) => Ok(Self::Every {
                every_ms,
                from: said.from,
            }),
            (None, None, Some(at)) => Ok(Self::At { at }),
            _ => Err(InvalidWhen::NotOne),
        }
    }
}

impl From<When> for Said {
    fn from(when: When) -> Self {
        match when {
            When::Cron { cron, zone } => Self {
                cron: Some(cron),
                zone: Some(zone),
                ..Self::default()
            },
            When::Every { every_ms, from } => Self {
                every_ms: Some(every_ms),
                from,
                ..Self::default()
            },
            When::At { at } => Self {
                at: Some(at),
                ..Self::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::When;

    #[test]
    fn times_are_said_in_one_of_three_ways() {
        for text in [
            r#"{"cron":"0 0 9 * * MON","zone":"Europe/Berlin"}"#,
            r#"{"every_ms":60000}"#,
            r#"{"every_ms":60000,"from":5}"#,
            r#"{"at":1764547200000}"#,
        ] {
            let when: When = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&when).unwrap(), text);
        }
        for (text, why) in [
            ("{}", "say one of"),
            (r#"{"at":1,"every_ms":5}"#, "say one of"),
            (r#"{"at":1,"zone":"UTC"}"#, "`zone` belongs"),
            (r#"{"cron":"* * * * *","from":1}"#, "`from` belongs"),
            (r#"{"every":1}"#, "unknown field `every`"),
        ] {
            let error = serde_json::from_str::<When>(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
