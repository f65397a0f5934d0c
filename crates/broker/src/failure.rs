//! How an error is stored: its JSON, which has no line breaks, and in the lines after that where it happened.
//!
//! Scripts tell clients the first line alone.

use protocol::Failure;

/// As it goes to a script.
pub(crate) fn write(failure: &Failure) -> String {
    let mut text = serde_json::to_string(failure).expect("a failure is a code and a string");
    if let Some(backtrace) = &failure.backtrace {
        text.push('\n');
        text.push_str(backtrace);
    }
    text
}

/// Reads what was stored; `None` where it is damaged.
pub(crate) fn read(stored: &[u8]) -> Option<Failure> {
    let (json, backtrace) = match stored.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&stored[..end], Some(&stored[end + 1..])),
        None => (stored, None),
    };
    let mut failure: Failure = serde_json::from_slice(json).ok()?;
    failure.backtrace = backtrace.map(|text| String::from_utf8_lossy(text).into_owned());
    Some(failure)
}

#[cfg(test)]
mod tests {
    use protocol::{Failure, FailureCode};

    use super::{read, write};

    #[test]
    fn what_is_stored_comes_back() {
        let plain = Failure::new(FailureCode::Error, "two\nlines");
        assert!(!write(&plain).contains('\n'));
        let traced = plain.clone().at("one\ntwo");
        for failure in [plain, traced] {
            assert_eq!(read(write(&failure).as_bytes()), Some(failure));
        }
        assert_eq!(read(b"{\"code\":"), None);
    }
}
