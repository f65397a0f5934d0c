//! `docs/cli.md` says of each command what its own help says.

use std::{fmt::Write as _, fs};

use crate::help::{asked, commands, lines};

const MANUAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
/// Where the part begins that is made here.
const MARK: &str = "<!-- What follows";

/// Cuts the options for Redis out of a help, and gives both.
fn without_redis(help: &str) -> (String, String) {
    let (before, rest) = help.split_once("\nRedis:\n").unwrap();
    let (redis, after) = rest.split_once("\n\n").unwrap_or((rest, ""));
    let text = format!("{}\n\n{after}", before.trim_end());
    (text.trim_end().to_owned(), redis.trim_end().to_owned())
}

fn made() -> String {
    let (general, redis) = without_redis(&asked(&["-h"]).out);
    let (commands_part, _) = general.split_once("\nManager:\n").unwrap();
    let mut text = format!(
        "\n## queue\n\n```text\n{}\n```\n\nEvery command takes these, before or after its name:\n\n```text\n{redis}\n```\n",
        commands_part.trim_end()
    );
    for name in lines() {
        let words: Vec<_> = name.split(' ').chain(["-h"]).collect();
        let (help, _) = without_redis(&asked(&words).out);
        let _ = write!(text, "\n## queue {name}\n\n```text\n{help}\n```\n");
    }
    text
}

#[test]
fn the_manual_is_what_the_help_says() {
    let manual = fs::read_to_string(MANUAL).unwrap();
    let (written, old) = manual.split_once(MARK).unwrap();
    let (mark, old) = old.split_once('\n').unwrap();
    let new = made();
    if std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
        fs::write(MANUAL, format!("{written}{MARK}{mark}\n{new}")).unwrap();
        return;
    }
    assert!(
        old == new,
        "docs/cli.md is not what the help says: INSTA_UPDATE=always brings it up to date"
    );
}

#[test]
fn the_manual_has_every_command_and_key() {
    let manual = fs::read_to_string(MANUAL).unwrap();
    let (written, _) = manual.split_once(MARK).unwrap();
    for name in commands() {
        if !["help", "completions", "top"].contains(&name.as_str()) {
            assert!(written.contains(&format!("`{name}`")), "JSON of {name}");
        }
    }
}
