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
    commands_of(&[])
}

/// The names of the commands below one, but for `help` below that.
fn commands_of(above: &[&str]) -> Vec<String> {
    let help = asked(&[above, &["-h"]].concat()).out;
    let Some((_, rest)) = help.split_once("\nCommands:\n") else {
        return Vec::new();
    };
    let listed = rest.lines().take_while(|line| line.starts_with("  "));
    listed
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .filter(|name| above.is_empty() || name != "help")
        .collect()
}

/// All commands and those below them, as they are typed.
pub(crate) fn lines() -> Vec<String> {
    let mut lines = Vec::new();
    for name in commands().into_iter().filter(|name| name != "help") {
        let below = commands_of(&[&name]);
        let below = below.iter().map(|below| format!("{name} {below}"));
        let below: Vec<_> = below.collect();
        lines.push(name);
        lines.extend(below);
    }
    lines
}

#[test]
fn the_help_of_every_command_was_reviewed() {
    snapshot::verbatim("help", &asked(&["--help"]).out);
    snapshot::verbatim("help-short", &asked(&["-h"]).out);
    let lines = lines();
    assert!(lines.len() >= 28, "{lines:?}");
    for line in lines {
        let words: Vec<_> = line.split(' ').chain(["--help"]).collect();
        let long = asked(&words).out;
        if words.len() == 2 {
            assert!(long.contains("Examples:\n"), "{line} shows how it is used");
        }
        snapshot::verbatim(&format!("help-{}", line.replace(' ', "-")), &long);
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
