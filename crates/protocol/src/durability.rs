//! How safe a job is when its submitter hears that it was accepted.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What had happened to a job when it was confirmed. Ordered: a later one survives more.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The primary's memory has it; what its disk has depends on how Redis is set up (`appendfsync`).
    #[default]
    Written,
    /// The primary's disk has it as well (`WAITAOF`).
    Fsynced,
    /// The memory of as many replicas as were asked for has it as well (`WAIT`).
    Replicated,
}

/// A text that names no durability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no durability: use written, fsynced or replicated")]
pub struct UnknownDurability(String);

impl Durability {
    /// Every one, from the weakest.
    pub const ALL: [Self; 3] = [Self::Written, Self::Fsynced, Self::Replicated];

    /// The word for it, on the wire and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Fsynced => "fsynced",
            Self::Replicated => "replicated",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|durability| durability.as_str() == text)
            .ok_or_else(|| UnknownDurability(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::Durability;

    #[test]
    fn words_round_trip() {
        for durability in Durability::ALL {
            assert_eq!(durability.as_str().parse(), Ok(durability));
            assert_eq!(
                serde_json::to_string(&durability).unwrap(),
                format!("\"{durability}\"")
            );
        }
        assert!("safe".parse::<Durability>().is_err());
    }
}
