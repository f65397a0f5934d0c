//! Which row of a panel is selected. It stays with its row while others come and go.

/// A selected row, by its place and by what is in it.
#[derive(Clone, Debug)]
pub(super) struct Cursor<K> {
    at: usize,
    on: Option<K>,
}

impl<K: Clone + PartialEq> Cursor<K> {
    /// At the top, or on a row that may be there.
    pub(super) const fn new(on: Option<K>) -> Self {
        Self { at: 0, on }
    }

    /// Goes to where its row is now, or to the one in its place if that is gone.
    pub(super) fn follow(&mut self, rows: &[K]) {
        let at = self
            .on
            .as_ref()
            .and_then(|on| rows.iter().position(|row| row == on));
        self.go(at.unwrap_or(self.at), rows);
    }

    /// Goes so many rows down, or up.
    pub(super) fn step(&mut self, by: isize, rows: &[K]) {
        self.go(self.at.saturating_add_signed(by), rows);
    }

    fn go(&mut self, at: usize, rows: &[K]) {
        self.at = at.min(rows.len().saturating_sub(1));
        // A wish for a row that was never there outlives an empty panel.
        if !rows.is_empty() {
            self.on = rows.get(self.at).cloned();
        }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) const fn on(&self) -> Option<&K> {
        self.on.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn it_stays_with_its_row() {
        let mut cursor = Cursor::new(Some("b"));
        cursor.follow(&[]);
        assert_eq!(cursor.on(), Some(&"b"));
        cursor.follow(&["a", "b", "c"]);
        assert_eq!((cursor.at(), cursor.on()), (1, Some(&"b")));
        cursor.follow(&["a", "x", "b", "c"]);
        assert_eq!(cursor.at(), 2);
        // Its row is gone: what took its place.
        cursor.follow(&["a", "x", "c"]);
        assert_eq!(cursor.on(), Some(&"c"));
        cursor.step(-5, &["a", "x", "c"]);
        assert_eq!(cursor.on(), Some(&"a"));
        cursor.step(9, &["a", "x", "c"]);
        assert_eq!((cursor.at(), cursor.on()), (2, Some(&"c")));
    }
}
