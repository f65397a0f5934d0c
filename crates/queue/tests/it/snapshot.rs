//! What commands print, compared with what was reviewed, in `tests/snapshots`. What differs from run to run is replaced first.

use std::{collections::HashMap, fmt::Write as _, fs, path::Path};

use protocol::JobId;
use serde_json::Value;

use crate::{help::lines, rig::Answer};

/// What differs from run to run, and what stands for it. Widths stay, so that tables stay tables.
const FILTERS: [(&str, &str); 13] = [
    (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
        "2026-01-31T12:00:00.000Z",
    ),
    (r"\b[12]\d{12}\b", "1769860800000"),
    (r"\((now|\d+s ago)\)", "(a moment ago)"),
    (r"\(in [^)]+\)", "(in a while)"),
    (r" {2,}\d+(ms|\.\ds)\b", "   1ms"),
    (r#""p(50|95|99)": \d+"#, "\"p$1\": 1"),
    (r#""oldest_waiting_ms": \d+"#, "\"oldest_waiting_ms\": 1"),
    (r"(?m) \d{1,2}s$", " 0s"),
    (r" \ds ago ", " 0s ago "),
    (r" \ds  ", " 0s  "),
    (r" \d\ds  ", " 0s   "),
    // A port of a test's own.
    (r"127\.0\.0\.1:[23]\d{4}", "127.0.0.1:6379"),
    (r"(?m)^(Trace +).*$", "${1}a trace"),
];

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

/// Compares a text that is always the same with the snapshot of that name.
pub(crate) fn verbatim(name: &str, text: &str) {
    settings().bind(|| insta::assert_snapshot!(name, text));
}

/// Compares a text with the snapshot of that name.
pub(crate) fn check(name: &str, text: &str) {
    let mut settings = settings();
    for (pattern, instead) in FILTERS {
        settings.add_filter(pattern, instead);
    }
    settings.bind(|| insta::assert_snapshot!(name, numbered(text)));
}

/// The text with its first id in place of the first, its second in place of the second, and so on.
fn numbered(text: &str) -> String {
    let mut known = HashMap::new();
    let mut result = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if word.len() == 26 && word.parse::<JobId>().is_ok() {
            let next = known.len() + 1;
            let number = known.entry(word).or_insert(next);
            let _ = write!(result, "01ARZ3NDEKTSV4RRFFQ69G5F{number:02}");
            result.push_str(&part[word.len()..]);
        } else {
            result.push_str(part);
        }
    }
    result
}

/// What was typed, and what came of it.
pub(crate) fn session(line: &str, answer: &Answer) -> String {
    let Answer { code, out, err } = answer;
    let shown = match serde_json::from_str::<Value>(out) {
        // A person reviews it: one member a line. Names are sorted.
        Ok(value) if line.contains("--json") => format!("{value:#}\n"),
        _ => out.clone(),
    };
    let mut text = format!("$ queue {line}\n{shown}");
    for line in err.lines() {
        text.push_str("stderr: ");
        text.push_str(line);
        text.push('\n');
    }
    if *code != 0 {
        let _ = writeln!(text, "exit code {code}");
    }
    text.push('\n');
    text
}

/// All sources of a folder as one text.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    text
}

#[test]
fn no_snapshot_is_left_over() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = sources(&root.join("src")) + &sources(&root.join("tests"));
    let commands = lines();
    for entry in fs::read_dir(root.join("tests/snapshots")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".snap") else {
            continue;
        };
        // Those of help are named after commands.
        let of_help = name.strip_prefix("help-");
        let known =
            of_help.is_some_and(|of| commands.iter().any(|line| line.replace(' ', "-") == of));
        let used = sources.contains(&format!("\"{name}\""));
        assert!(known || used, "nothing is compared with {file}");
    }
}
