//! `docs/protocol.md` against the types: every JSON block there is a value of the type that it names.

use protocol::{
    ChatPayload, ChatResult, ErrorCode, Event, EventType, FailureCode, Job, JobRecord, JobState,
    Published, limits, plain::ErrorFrame,
};
use serde::{Serialize, de::Deserialize};

const PAGE: &str = include_str!("../../../../docs/protocol.md");

/// The blocks of the page with the words behind their opening fence.
fn blocks() -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        if let Some(words) = line.trim().strip_prefix("```json") {
            let block: Vec<_> = lines
                .by_ref()
                .map(str::trim)
                .take_while(|line| *line != "```")
                .collect();
            blocks.push((words.trim().to_owned(), block.join("\n")));
        }
    }
    blocks
}

/// Reads the text as a value, writes the value, and wants the same text.
fn same<'a, T: Serialize + Deserialize<'a>>(text: &'a str) {
    let value: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let written = serde_json::to_string(&value).expect("a value that was JSON is JSON");
    assert_eq!(written, text);
}

#[test]
fn every_block_is_a_value_of_its_type() {
    let blocks = blocks();
    for (name, text) in &blocks {
        match name.as_str() {
            "chat.payload" => same::<ChatPayload<'_>>(text),
            "chat.result" => same::<ChatResult<'_>>(text),
            "plain.error" => same::<ErrorFrame<'_>>(text),
            "job" => same::<Job>(text),
            "record" => same::<JobRecord>(text),
            "published" => same::<Published<'_>>(text),
            "event" => same::<Event<'_>>(text),
            other => panic!("a block is called {other:?}, which is no type"),
        }
    }
    assert!(blocks.len() >= 8, "{} blocks were found", blocks.len());
}

/// Whether a table of the page has a row whose first cell is this word.
fn has_row(word: &str) -> bool {
    PAGE.lines()
        .any(|line| line.starts_with(&format!("| `{word}` |")))
}

#[test]
fn every_code_and_type_has_its_row() {
    for code in ErrorCode::ALL {
        assert!(has_row(code.as_str()), "{code}");
    }
    for code in [
        FailureCode::Error,
        FailureCode::Panic,
        FailureCode::Undecodable,
        FailureCode::UnknownKind,
        FailureCode::ResultTooLarge,
        FailureCode::LeaseLost,
        FailureCode::Timeout,
        FailureCode::Expired,
    ] {
        assert!(has_row(code.as_str()), "{code}");
    }
    for event in [
        EventType::Queued,
        EventType::Started,
        EventType::Progress,
        EventType::Chunk,
        EventType::Log,
        EventType::Retrying,
        EventType::Completed,
        EventType::Failed,
        EventType::Cancelled,
    ] {
        assert!(has_row(event.as_str()), "{}", event.as_str());
    }
    for state in JobState::ALL {
        assert!(PAGE.contains(&format!("`{state}`")), "{state}");
    }
}

#[test]
fn the_limits_are_those_of_the_code() {
    let kib = |bytes: usize| format!("{} KiB", bytes / 1024);
    for (row, value) in [
        (
            "text frame of the plain protocol",
            kib(limits::DEFAULT_MAX_FRAME_BYTES),
        ),
        (
            "payload, announcement, result",
            kib(limits::MAX_PAYLOAD_BYTES),
        ),
        (
            "payload, announcement, result",
            kib(limits::MAX_RESULT_BYTES),
        ),
        (
            "data of a progress, chunk or log event",
            kib(limits::MAX_EVENT_DATA_BYTES),
        ),
        ("error message", kib(limits::MAX_ERROR_BYTES)),
        ("attempts", limits::MAX_ATTEMPTS.to_string()),
        (
            "delay, time to live",
            format!("{} days", limits::MAX_DELAY_MS / 24 / 3_600_000),
        ),
    ] {
        assert!(
            PAGE.contains(&format!("| {row} | {value}")),
            "{row}: {value}"
        );
    }
}
