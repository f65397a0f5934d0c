//! What a plain client got, message by message: its text, its result, in that order, each once.

use std::collections::HashMap;

use protocol::ChatResult;

/// How often a message's text and result came, and whether a result came before its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    texts: u32,
    results: u32,
}

/// The sum of what a client got. Messages must be distinct, and no JSON objects themselves.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    entries: HashMap<String, Entry>,
    early: Vec<String>,
    errors: Vec<String>,
}

impl Ledger {
    /// Sorts what a client got.
    pub fn of(frames: &[String]) -> Self {
        let mut ledger = Self::default();
        for frame in frames {
            if let Ok(result) = serde_json::from_str::<ChatResult<'_>>(frame) {
                let entry = ledger
                    .entries
                    .entry(result.msg.clone().into_owned())
                    .or_default();
                if entry.texts == 0 {
                    ledger.early.push(result.msg.into_owned());
                }
                entry.results += 1;
            } else if frame.starts_with("{\"error\"") {
                ledger.errors.push(frame.clone());
            } else {
                ledger.entries.entry(frame.clone()).or_default().texts += 1;
            }
        }
        ledger
    }

    /// How many messages' texts came.
    pub fn accepted(&self) -> usize {
        self.entries
            .values()
            .filter(|entry| entry.texts > 0)
            .count()
    }

    /// How many messages' results came.
    pub fn done(&self) -> usize {
        self.entries
            .values()
            .filter(|entry| entry.results > 0)
            .count()
    }

    /// The error frames that came.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// What is wrong with the sum, if anything: a text or result twice, a result before its text.
    pub fn check(&self) -> Result<(), String> {
        if let Some(message) = self.early.first() {
            return Err(format!("{message:?}: the result came before the text"));
        }
        match self
            .entries
            .iter()
            .find(|(_, entry)| entry.texts > 1 || entry.results > 1)
        {
            Some((message, entry)) => Err(format!("{message:?}: {entry:?}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ledger;

    fn ledger(frames: &[&str]) -> Ledger {
        Ledger::of(
            &frames
                .iter()
                .map(|frame| (*frame).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn a_good_sum() {
        let ledger = ledger(&[
            "a",
            "b",
            r#"{"msg":"b","time":1}"#,
            r#"{"msg":"a","time":1}"#,
            "c",
        ]);
        assert_eq!(
            (ledger.accepted(), ledger.done(), ledger.check()),
            (3, 2, Ok(()))
        );
    }

    #[test]
    fn what_is_wrong_is_found() {
        assert!(ledger(&[r#"{"msg":"a","time":1}"#, "a"]).check().is_err());
        assert!(ledger(&["a", "a"]).check().is_err());
        let twice = r#"{"msg":"a","time":1}"#;
        assert!(ledger(&["a", twice, twice]).check().is_err());
        assert_eq!(
            ledger(&[r#"{"error":"unavailable","message":""}"#])
                .errors()
                .len(),
            1
        );
    }
}
