//! What is stored with a job and means nothing to the scripts: they carry it as one field.

use std::collections::HashMap;

use protocol::{JobOptions, RetryPolicy, TraceContext};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Extra {
    /// apalis' metadata.
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    pub(crate) metadata: HashMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry: Option<RetryPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<TraceContext>,
}

impl Extra {
    pub(crate) fn of(options: &JobOptions, metadata: &HashMap<String, String>) -> Self {
        Self {
            metadata: metadata.clone(),
            timeout_ms: options.timeout_ms,
            retry: options.retry,
            trace: options.trace.clone(),
        }
    }

    /// As it is stored: most jobs have nothing of it, and then it takes no place.
    pub(crate) fn stored(&self) -> String {
        if *self == Self::default() {
            return String::new();
        }
        serde_json::to_string(self).expect("numbers and strings are always JSON")
    }

    /// What can't be read is as if it were not there: no job is lost over it.
    pub(crate) fn read(stored: &[u8]) -> Self {
        serde_json::from_slice(stored).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use protocol::{JobOptions, RetryPolicy};

    use super::Extra;

    #[test]
    fn what_is_stored_comes_back() {
        let options = JobOptions {
            timeout_ms: Some(5),
            retry: Some(RetryPolicy::Fixed { delay_ms: 7 }),
            ..JobOptions::default()
        };
        let extra = Extra::of(&options, &HashMap::from([("a".into(), "b".into())]));
        assert_eq!(Extra::read(extra.stored().as_bytes()), extra);
        let none = Extra::of(&JobOptions::default(), &HashMap::new());
        assert_eq!(none.stored(), "");
        assert_eq!(Extra::read(b""), none);
    }
}
