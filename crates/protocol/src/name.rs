//! Names that cross processes: of queues, kinds, topics and tenants.
//!
//! Names stand in Redis keys, channel names, URLs, metrics labels and JSON without any escaping, so their
//! alphabet is small. In particular none may hold `:`, `{`, `}`, a quote, a space or a control character.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::limits::MAX_NAME_BYTES;

/// Why a text can't be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// A name has at least one character.
    #[error("a name can't be empty")]
    Empty,
    /// A name has at most [`MAX_NAME_BYTES`] bytes.
    #[error("a name has at most {MAX_NAME_BYTES} bytes, this has {0}")]
    TooLong(usize),
    /// Only `A`–`Z`, `a`–`z`, `0`–`9`, `_`, `-` and `.` stand in a name.
    #[error("a name holds only letters, digits, `_`, `-` and `.`, not {0:?}")]
    Character(char),
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong(text.len()));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.chars()
        .find(|c| !allowed(*c))
        .map_or(Ok(()), |c| Err(NameError::Character(c)))
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a text that follows the rules of names.
            pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
                check(text.as_ref())?;
                Ok(Self(text.as_ref().into()))
            }

            /// The name itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

name! {
    /// The name of a queue, which is also the namespace of its topics.
    QueueName
}
name! {
    /// The kind of a job: which handler runs it.
    Kind
}
name! {
    /// What events are published under inside a queue; a job's own id unless it names another.
    Topic
}
name! {
    /// Who a job belongs to.
    Tenant
}
name! {
    /// The name of a schedule in its queue.
    ScheduleName
}
name! {
    /// The name of a file that schedules come from.
    SourceName
}

impl Tenant {
    /// The tenant of everything that comes without a token.
    pub fn public() -> Self {
        Self("public".into())
    }
}

/// Where events are published: `queue:topic`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel {
    /// The queue that owns the topic.
    pub queue: QueueName,
    /// The topic in it.
    pub topic: Topic,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.queue, self.topic)
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, NameError, QueueName};

    #[test]
    fn names_follow_the_rules() {
        assert!(QueueName::new("chat").is_ok());
        assert!(QueueName::new("Video_2.transcode-hd").is_ok());
        assert_eq!(QueueName::new(""), Err(NameError::Empty));
        assert_eq!(QueueName::new("a".repeat(65)), Err(NameError::TooLong(65)));
        for bad in [':', '{', '}', '"', ' ', '\n', 'é'] {
            assert_eq!(
                Kind::new(format!("a{bad}b")),
                Err(NameError::Character(bad))
            );
        }
    }

    #[test]
    fn a_bad_name_is_no_value() {
        assert!(serde_json::from_str::<QueueName>("\"a:b\"").is_err());
    }
}
