//! What the commands tell the person who runs them.
//!
//! Everything goes through here, so that colours appear only on a terminal and a closed pipe is no panic. Never
//! used for logs of other processes' inner workings: those come with their own prefix, see `child`.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

/// The colours that tell processes apart, readable on light and dark.
const PALETTE: [u8; 6] = [36, 33, 32, 35, 34, 96];

/// One plain line on stdout.
pub(crate) fn line(text: impl Display) {
    // A reader that has gone away, as in `| head`, is no reason to fail.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// What happens next.
pub(crate) fn step(text: &str) {
    line(styled(1, &format!("==> {text}")));
}

/// What is wrong, on stderr.
pub(crate) fn error(text: &str) {
    let _ = std::io::stdout().flush();
    let _ = writeln!(std::io::stderr().lock(), "{} {text}", styled(31, "error:"));
}

/// The text in the colour of the `index`th process.
pub(crate) fn in_colour_of(index: usize, text: &str) -> String {
    styled(PALETTE[index % PALETTE.len()], text)
}

/// True when stdout shows colours: a terminal, and `NO_COLOR` is not set.
pub(crate) fn has_colour() -> bool {
    static COLOUR: OnceLock<bool> = OnceLock::new();
    *COLOUR.get_or_init(|| {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        std::io::stdout().is_terminal() && !refused
    })
}

/// A duration as people say it: `0.4 s`, `83 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} s", duration.as_secs())
    }
}

fn styled(code: u8, text: &str) -> String {
    if has_colour() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
