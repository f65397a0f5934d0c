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
