//! What an operator sets for a queue while it runs. It lives in Redis, so that all processes obey at once.

use std::{collections::HashMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How many jobs may start in a time. The whole number may start at once, after a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How many.
    pub jobs: u64,
    /// In how many milliseconds.
    pub per_ms: u64,
}

/// A text that is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no rate: say jobs/time, as 100/s, 20/500ms, 30/m or 5/h")]
pub struct RateError(String);

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let wrong = || RateError(text.chars().take(32).collect());
        let (jobs, per) = text.split_once('/').ok_or_else(wrong)?;
        let jobs: u64 = jobs.parse().map_err(|_| wrong())?;
        let digits = per.len() - per.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (count, unit) = per.split_at(digits);
        let count: u64 = if count.is_empty() {
            1
        } else {
            count.parse().map_err(|_| wrong())?
        };
        let unit = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        let per_ms = count.checked_mul(unit).ok_or_else(wrong)?;
        // A number of Lua's holds these exactly.
        if jobs == 0 || jobs > 1_000_000_000 || per_ms == 0 || per_ms > 86_400_000 {
            return Err(wrong());
        }
        Ok(Self { jobs, per_ms })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jobs, per_ms } = *self;
        match per_ms {
            1_000 => write!(f, "{jobs}/s"),
            60_000 => write!(f, "{jobs}/m"),
            3_600_000 => write!(f, "{jobs}/h"),
            _ => write!(f, "{jobs}/{per_ms}ms"),
        }
    }
}

/// What one tenant may have. Absent means no limit, or for a single tenant: that for all tenants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantLimits {
    /// Jobs that wait or are delayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_waiting: Option<u64>,
    /// Active jobs over all workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_active: Option<u64>,
    /// Starts of attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// What is set for a queue. Absent means no limit, but for `max_waiting` and `max_bytes`: that of the processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueSettings {
    /// A paused queue takes jobs and runs none.
    pub paused: bool,
    /// Jobs that wait or are delayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_waiting: Option<u64>,
    /// Bytes of payload of jobs that wait or are delayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Active jobs over all workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_active: Option<u64>,
    /// Starts of attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// What every tenant may have that has no limits of its own.
    pub tenants: TenantLimits,
}

/// Names and values as they stand in Redis; an empty value means that nothing is set.
type Field = (&'static str, String);

fn optional(value: Option<u64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn limits(limits: &TenantLimits, names: [&'static str; 4]) -> [Field; 4] {
    let [waiting, active, jobs, per] = names;
    [
        (waiting, optional(limits.max_waiting)),
        (active, optional(limits.max_active)),
        (jobs, optional(limits.rate.map(|rate| rate.jobs))),
        (per, optional(limits.rate.map(|rate| rate.per_ms))),
    ]
}

impl QueueSettings {
    pub(crate) fn fields(&self) -> Vec<Field> {
        let own = TenantLimits {
            max_waiting: self.max_waiting,
            max_active: self.max_active,
            rate: self.rate,
        };
        let mut fields = vec![
            ("paused", optional(self.paused.then_some(1))),
            ("max_bytes", optional(self.max_bytes)),
        ];
        fields.extend(limits(
            &own,
            ["max_waiting", "max_active", "rate_jobs", "rate_ms"],
        ));
        fields.extend(limits(
            &self.tenants,
            [
                "tenant_max_waiting",
                "tenant_max_active",
                "tenant_rate_jobs",
                "tenant_rate_ms",
            ],
        ));
        fields
    }

    pub(crate) fn read(hash: &HashMap<String, u64>) -> Self {
        let get = |name: &str| hash.get(name).copied();
        let rate = |jobs, per| {
            Some(Rate {
                jobs: get(jobs)?,
                per_ms: get(per)?,
            })
        };
        Self {
            paused: get("paused").is_some(),
            max_waiting: get("max_waiting"),
            max_bytes: get("max_bytes"),
            max_active: get("max_active"),
            rate: rate("rate_jobs", "rate_ms"),
            tenants: TenantLimits {
                max_waiting: get("tenant_max_waiting"),
                max_active: get("tenant_max_active"),
                rate: rate("tenant_rate_jobs", "tenant_rate_ms"),
            },
        }
    }
}

impl TenantLimits {
    /// As it stands in Redis: `name=value` with a space between two.
    pub(crate) fn stored(&self) -> String {
        limits(self, ["max_waiting", "max_active", "rate_jobs", "rate_ms"])
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    pub(crate) fn read(stored: &str) -> Self {
        let fields: HashMap<String, u64> = stored
            .split(' ')
            .filter_map(|field| field.split_once('='))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect();
        let QueueSettings {
            max_waiting,
            max_active,
            rate,
            ..
        } = QueueSettings::read(&fields);
        Self {
            max_waiting,
            max_active,
            rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{QueueSettings, Rate, TenantLimits};

    #[test]
    fn rates_are_read_and_shown() {
        for text in ["100/s", "30/m", "5/h", "20/500ms"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "100",
            "0/s",
            "1/0s",
            "1/d",
            "x/s",
            "1/-1s",
            "9999999999/s",
            "1/25h",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_stored_comes_back() {
        let tenants = TenantLimits {
            max_waiting: Some(3),
            max_active: None,
            rate: "7/s".parse().ok(),
        };
        assert_eq!(TenantLimits::read(&tenants.stored()), tenants);
        let settings = QueueSettings {
            paused: true,
            max_active: Some(2),
            tenants,
            ..QueueSettings::default()
        };
        let fields: HashMap<String, u64> = settings
            .fields()
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect();
        assert_eq!(QueueSettings::read(&fields), settings);
    }
}
