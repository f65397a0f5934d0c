//! The help of every command, at a fixed width, and what shells are told.

use std::fmt::Write as _;

use crate::{
    rig::{Answer, binary},
    snapshot,
};

/// What the binary answers to a command line without Redis, to a terminal of 100 columns.
pub(crate) fn asked(words: &[&str]) -> Answer {
    let answer = Answer::of(binary(words).env("COLUMNS", "100").output().unwrap());
    assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{words:?}");
    answer
}

/// The names of all commands, as the help lists them.
pub(crate) fn commands() -> Vec<String> {
    let help = asked(&["-h"]).out;
    let (_, rest) = help.split_once("\nCommands:\n").unwrap();
    let listed = rest.lines().take_while(|line| line.starts_with("  "));
    listed
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_help_of_every_command_was_reviewed() {
    snapshot::verbatim("help", &asked(&["--help"]).out);
    snapshot::verbatim("help-short", &asked(&["-h"]).out);
    let commands = commands();
    assert!(commands.len() >= 16, "{commands:?}");
    for name in commands.iter().filter(|name| *name != "help") {
        let long = asked(&[name, "--help"]).out;
        assert!(long.contains("Examples:\n"), "{name} shows how it is used");
        snapshot::verbatim(&format!("help-{name}"), &long);
    }
}

#[test]
fn shells_are_told_every_command() {
    let commands = commands();
    let mut told = String::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = asked(&["completions", shell]).out;
        for name in &commands {
            assert!(script.contains(name.as_str()), "{shell} knows {name}");
        }
        // The part that names the commands; the rest is clap's.
        let part: Vec<_> = match shell {
            "bash" => script
                .lines()
                .skip_while(|line| *line != "        queue)")
                .take(2)
                .collect(),
            "zsh" => script
                .lines()
                .skip_while(|line| !line.starts_with("_queue_commands()"))
                .take_while(|line| *line != "    )")
                .collect(),
            _ => script
                .lines()
                .filter(|line| line.contains("__fish_queue_needs_command\" -f -a"))
                .collect(),
        };
        assert!(part.len() > 1, "{shell}");
        let _ = write!(told, "# {shell}\n{}\n\n", part.join("\n"));
    }
    snapshot::verbatim("completions", &told);
}
