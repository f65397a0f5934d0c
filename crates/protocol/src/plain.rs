//! The plain protocol: what people type into websocat, and what they see.
//!
//! A client's text frame is a chat message. Everything that a client gets is one of three texts: a message as
//! it was sent (bare), a result ([`ChatResult`](crate::ChatResult) as JSON), or, to the sender alone, an error.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::ErrorCode;

/// A frame that carries no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame carries no message")]
pub struct EmptyMessage;

/// The answer to a message that can't be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorFrame<'a> {
    /// Why, for programs.
    pub error: ErrorCode,
    /// Why, for people.
    #[serde(borrow)]
    pub message: Cow<'a, str>,
}

/// Reads a text frame: a JSON object with a string `msg` means that string, anything else means the whole text.
pub fn parse(text: &str) -> Result<Cow<'_, str>, EmptyMessage> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        msg: Cow<'a, str>,
    }
    // Most messages are not JSON; a glance at the first character spares them a parse that must fail.
    let message = if text.trim_start().starts_with('{') {
        match serde_json::from_str::<Envelope<'_>>(text) {
            Ok(envelope) => envelope.msg,
            Err(_) => Cow::Borrowed(text),
        }
    } else {
        Cow::Borrowed(text)
    };
    if message.is_empty() {
        Err(EmptyMessage)
    } else {
        Ok(message)
    }
}

/// The text of an error frame.
pub fn error_frame(code: ErrorCode, message: &str) -> String {
    let frame = ErrorFrame {
        error: code,
        message: Cow::Borrowed(message),
    };
    serde_json::to_string(&frame).expect("a string and a code are always JSON")
}

#[cfg(test)]
mod tests {
    use super::{EmptyMessage, error_frame, parse};
    use crate::ErrorCode;

    #[test]
    fn an_object_with_a_string_msg_means_that_string() {
        assert_eq!(parse(r#"{"msg":"hi","time":1772710371837}"#).unwrap(), "hi");
        assert_eq!(parse(" {\"msg\":\"a\\n\\u00e9\"} ").unwrap(), "a\né");
    }

    #[test]
    fn anything_else_means_the_whole_text() {
        for text in [
            "hi I am here :)",
            "{}",
            "[]",
            "null",
            "12",
            "\"msg\"",
            r#"{"msg":5}"#,
            r#"{"msg":null}"#,
            r#"{"text":"hi"}"#,
            r#"{"msg":"a","msg":"b"}"#,
            r#"{"msg":"\ud800"}"#,
            r#"{"msg":"a"} and more"#,
            "\u{0}\u{7}\u{1b}[31m",
            "🦀👩‍👩‍👧‍👦",
            " ",
        ] {
            assert_eq!(parse(text).unwrap(), text);
        }
    }

    #[test]
    fn nesting_is_no_danger() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse(&deep).unwrap(), deep);
    }

    #[test]
    fn an_empty_message_is_refused() {
        assert_eq!(parse(""), Err(EmptyMessage));
        assert_eq!(parse(r#"{"msg":""}"#), Err(EmptyMessage));
    }

    #[test]
    fn an_error_frame_has_a_code_and_a_sentence() {
        let frame = error_frame(ErrorCode::Unavailable, "try \"later\"");
        assert_eq!(
            frame,
            r#"{"error":"unavailable","message":"try \"later\""}"#
        );
    }
}
