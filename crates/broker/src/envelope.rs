//! A published event as it travels: with its place in a log, and unread.
//!
//! Who only passes events on never looks into them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How what says its place begins. No event does.
const BEGINNING: &str = "{\"epoch\":";

/// An event with its place in a feed's log. A message on a pub/sub channel begins with one, and may have more lines: see
/// [`Envelope::lines`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Envelope<'a> {
    /// Which incarnation of the log; empty for what is in none.
    pub epoch: &'a str,
    /// Which place in it, from 1; 0 for what is in none.
    pub offset: u64,
    /// What happened.
    #[serde(borrow)]
    pub event: &'a RawValue,
}

impl<'a> Envelope<'a> {
    /// The events of a published message, one a line; `None` for a line that is none. The first says where it is, and those
    /// that follow it in its log stand alone; what is in no log is followed by what is in none.
    pub fn lines(message: &'a str) -> impl Iterator<Item = Option<Self>> {
        let mut last: Option<Self> = None;
        message.split('\n').map(move |line| {
            last = match last {
                Some(Self { epoch, offset, .. }) if !line.starts_with(BEGINNING) => {
                    serde_json::from_str(line).ok().map(|event| Self {
                        epoch,
                        offset: offset + u64::from(offset > 0),
                        event,
                    })
                }
                _ => serde_json::from_str(line).ok(),
            };
            last
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Envelope;

    fn read(message: &str) -> Vec<Option<(&str, u64, &str)>> {
        Envelope::lines(message)
            .map(|line| line.map(|event| (event.epoch, event.offset, event.event.get())))
            .collect()
    }

    #[test]
    fn events_follow_each_other() {
        let message = "{\"epoch\":\"a\",\"offset\":4,\"event\":{\"n\":1}}\n{\"n\":2}\n{\"n\":3}";
        let events = [
            ("a", 4, "{\"n\":1}"),
            ("a", 5, "{\"n\":2}"),
            ("a", 6, "{\"n\":3}"),
        ];
        assert_eq!(read(message), events.map(Some));
    }

    #[test]
    fn what_is_in_no_log_has_no_place() {
        let message = "{\"epoch\":\"\",\"offset\":0,\"event\":{}}\n{\"n\":2}\n{\"epoch\":\"b\",\"offset\":9,\"event\":{}}";
        let events = [("", 0, "{}"), ("", 0, "{\"n\":2}"), ("b", 9, "{}")];
        assert_eq!(read(message), events.map(Some));
    }

    #[test]
    fn nothing_follows_what_is_none() {
        assert_eq!(read("{\"n\":1}"), [None]);
        let message = "{\"epoch\":\"a\",\"offset\":4,\"event\":{}}\n{\n{\"n\":2}";
        assert_eq!(read(message), [Some(("a", 4, "{}")), None, None]);
    }
}
