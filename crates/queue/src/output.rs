//! The only place that prints: results to standard output, complaints to standard error.
//!
//! A reader that goes away is no error, only the end. Never lays anything out.

use std::io::{IsTerminal as _, Stdout, Write as _, stderr, stdout};

use serde::Serialize;
use terminal_size::{Height, Width, terminal_size};

use crate::{
    fault::Fault,
    text::{escape, json},
};

/// Where results go, and what can be shown there.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: Stdout,
    terminal: bool,
    colour: bool,
}

impl Output {
    /// Standard output as it is: a terminal or not, and with colour unless `NO_COLOR` is set.
    pub(crate) fn detect() -> Self {
        let stdout = stdout();
        let terminal = stdout.is_terminal();
        let bare = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            stdout,
            terminal,
            colour: terminal && !bare,
        }
    }

    /// Whether a person looks on.
    pub(crate) const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether colour may be used.
    pub(crate) const fn has_colour(&self) -> bool {
        self.colour
    }

    /// Columns and rows of the terminal, as it is now; `None` if it is none, or does not say.
    pub(crate) fn size(&self) -> Option<(u16, u16)> {
        let known =
            terminal_size().filter(|(Width(columns), Height(rows))| *columns > 0 && *rows > 0);
        known
            .filter(|_| self.terminal)
            .map(|(Width(columns), Height(rows))| (columns, rows))
    }

    /// Prints text as it is.
    pub(crate) fn print(&self, text: &str) -> Result<(), Fault> {
        let mut stdout = self.stdout.lock();
        stdout.write_all(text.as_bytes())?;
        Ok(stdout.flush()?)
    }

    /// Prints a value as one line of JSON in which nothing can steer a terminal.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Fault> {
        let text = serde_json::to_string(value).map_err(std::io::Error::other)?;
        self.print(&format!("{}\n", json::compact(&text)))
    }
}

/// Whether a person reads what is said on standard error.
pub(crate) fn has_onlooker() -> bool {
    stderr().is_terminal()
}

/// Shows a line on standard error that the next takes the place of; an empty one takes it away. For terminals only.
pub(crate) fn transient(text: &str) {
    let mut stderr = stderr();
    let _ = write!(stderr, "\r\u{1b}[K{}", escape::line(text));
    let _ = stderr.flush();
}

/// Says on standard error, in one line, what went wrong or should be known.
pub(crate) fn complain(text: &str) {
    // There is nowhere left to say that even this failed.
    let _ = writeln!(stderr(), "{}", escape::line(text));
}
