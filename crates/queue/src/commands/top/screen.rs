//! The terminal as a full screen, and as it was before when this is dropped or the process panics.

use std::io::{IsTerminal as _, stdin};

use ratatui::{DefaultTerminal, Frame};

use crate::{fault::Fault, output::Output};

/// The alternate screen, with keys unbuffered.
pub(super) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Whether there is a terminal to draw on and to hear keys from.
    pub(super) fn is_possible(out: &Output) -> bool {
        out.is_terminal() && stdin().is_terminal()
    }

    /// Takes the terminal over. A panic gives it back before its message is printed.
    pub(super) fn open() -> Result<Self, Fault> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                let _ = ratatui::try_restore();
                Err(error.into())
            }
        }
    }

    /// Draws one picture, of the size that the terminal has by now; only what differs is sent.
    pub(super) fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> Result<(), Fault> {
        self.terminal.draw(picture)?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nothing left to do for a terminal that is gone.
        let _ = self.terminal.show_cursor();
        let _ = ratatui::try_restore();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::Read as _,
        process::{Command, Stdio},
    };

    use nix::{pty::openpty, sys::termios::tcgetattr};

    use super::Screen;

    /// Said to the process that panics, which is this test once more.
    const INSIDE: &str = "PANIC_ON_SCREEN";

    #[test]
    fn a_panic_gives_the_terminal_back() {
        if std::env::var_os(INSIDE).is_some() {
            let _screen = Screen::open().unwrap();
            panic!("on purpose");
        }
        let pty = openpty(None, None).unwrap();
        let before = tcgetattr(&pty.master).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let name = concat!(module_path!(), "::a_panic_gives_the_terminal_back");
        let (_, name) = name.split_once("::").unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        command
            .args(["--exact", name, "--nocapture"])
            .env(INSIDE, "1")
            .env("RUST_BACKTRACE", "0")
            .stdin(end())
            .stdout(end())
            .stderr(end());
        let mut child = command.spawn().unwrap();
        drop((command, pty.slave));
        let mut said = Vec::new();
        // An error is the end: nobody holds the other side any more.
        let mut master = File::from(pty.master);
        let _ = master.read_to_end(&mut said);
        assert!(!child.wait().unwrap().success());
        let said = String::from_utf8_lossy(&said);
        let at = |text: &str| {
            said.find(text)
                .unwrap_or_else(|| panic!("{text:?}: {said:?}"))
        };
        // The message is for the screen that stays.
        assert!(at("\u{1b}[?1049h") < at("\u{1b}[?1049l"));
        assert!(at("\u{1b}[?1049l") < at("on purpose"));
        assert_eq!(tcgetattr(&master).unwrap().local_flags, before.local_flags);
    }
}
