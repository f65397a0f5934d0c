//! The idempotency key of a job.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::limits::MAX_KEY_BYTES;

/// What makes handing in a job safe to repeat: the same tenant, key and payload mean the same job.
///
/// Visible ASCII, so that it stands in logs and in Redis keys as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdempotencyKey(Arc<str>);

/// A text that can't be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 1 to {MAX_KEY_BYTES} visible ASCII characters")]
pub struct KeyError;

impl IdempotencyKey {
    /// Takes a text that follows the rule of keys.
    pub fn new(text: impl AsRef<str>) -> Result<Self, KeyError> {
        let text = text.as_ref();
        let fits = (1..=MAX_KEY_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(KeyError)
        }
    }

    /// The key itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl FromStr for IdempotencyKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::new(text)
    }
}

impl TryFrom<String> for IdempotencyKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::new(text)
    }
}

impl From<IdempotencyKey> for String {
    fn from(key: IdempotencyKey) -> Self {
        key.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{IdempotencyKey, KeyError};
    use crate::limits::MAX_KEY_BYTES;

    #[test]
    fn the_rule_is_checked() {
        for text in ["a", "order:17/{x}", &"k".repeat(MAX_KEY_BYTES)] {
            assert_eq!(IdempotencyKey::new(text).unwrap().as_str(), text);
        }
        for text in ["", "a b", "é", "a\n", &"k".repeat(MAX_KEY_BYTES + 1)] {
            assert_eq!(IdempotencyKey::new(text), Err(KeyError), "{text:?}");
        }
    }
}
