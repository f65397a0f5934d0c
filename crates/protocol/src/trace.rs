//! The W3C trace context of a job: which trace its work belongs to.
//!
//! Only its form is checked, by <https://www.w3.org/TR/trace-context/>; nothing here makes a trace.

use serde::{Deserialize, Serialize};

use crate::limits::MAX_TRACE_STATE_BYTES;

/// Where in a distributed trace a job was handed in. Its attempts and their spans become children of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    /// `00-<32 hex digits of the trace>-<16 of the parent span>-<2 of flags>`.
    pub traceparent: String,
    /// What vendors add, as it came; at most [`MAX_TRACE_STATE_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
}

impl TraceContext {
    /// Whether both fields have the form that the standard wants.
    pub fn is_valid(&self) -> bool {
        let state = self.tracestate.as_deref().unwrap_or_default();
        is_parent(&self.traceparent)
            && state.len() <= MAX_TRACE_STATE_BYTES
            && state.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    }
}

/// Whether a text is a version 00 `traceparent`. Ids that are all zeros mean none.
fn is_parent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, len| {
        part.len() == len
            && part
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let id = |part: &str, len| hex(part, len) && part.bytes().any(|byte| byte != b'0');
    matches!(*parts, ["00", trace, parent, flags] if id(trace, 32) && id(parent, 16) && hex(flags, 2))
}

#[cfg(test)]
mod tests {
    use super::TraceContext;

    fn valid(traceparent: &str, tracestate: Option<&str>) -> bool {
        let context = TraceContext {
            traceparent: traceparent.to_owned(),
            tracestate: tracestate.map(str::to_owned),
        };
        context.is_valid()
    }

    #[test]
    fn the_form_is_checked() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(valid(parent, None));
        assert!(valid(parent, Some("vendor=a,other=b c")));
        assert!(!valid(parent, Some("a\nb")));
        assert!(!valid(parent, Some(&"x".repeat(513))));
        for text in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        ] {
            assert!(!valid(text, None), "{text}");
        }
    }
}
