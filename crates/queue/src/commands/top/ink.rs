//! The few styles of `queue top`. Without colour, weight and inversion say the same.

use ratatui::style::{Color, Modifier, Style};

/// What may be drawn with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ink {
    colour: bool,
}

impl Ink {
    pub(super) const fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// What should not be.
    pub(super) const fn trouble(self) -> Style {
        self.or(Color::Red, Modifier::BOLD)
    }

    /// What is stopped on purpose, or waits for an answer.
    pub(super) const fn held(self) -> Style {
        self.or(Color::Yellow, Modifier::BOLD)
    }

    /// What goes well.
    pub(super) const fn well(self) -> Style {
        self.or(Color::Green, Modifier::empty())
    }

    /// The head of a table, and lines between panels.
    pub(super) const fn quiet(self) -> Style {
        self.or(Color::DarkGray, Modifier::DIM)
    }

    /// The title of a panel: the one that has the keys stands out.
    pub(super) const fn title(self, focused: bool) -> Style {
        if focused {
            self.or(Color::Cyan, Modifier::empty())
                .add_modifier(Modifier::BOLD)
        } else {
            Style::new()
        }
    }

    /// The selected row of the panel that has the keys.
    pub(super) const fn selected() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    const fn or(self, colour: Color, modifier: Modifier) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new().add_modifier(modifier)
        }
    }
}
