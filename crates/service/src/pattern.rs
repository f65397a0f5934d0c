//! Patterns of channel names in tokens, and of origins, in which `*` stands for any characters, `:` and `.` too.
//!
//! Knows no other sign: what a token grants is read in one way only.

/// A pattern of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Takes any text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Whether the whole name fits.
    pub fn fits(&self, name: &str) -> bool {
        let Some((head, tail)) = self.0.split_once('*') else {
            return *self.0 == *name;
        };
        let Some(mut rest) = name.strip_prefix(head) else {
            return false;
        };
        // The first fit of each piece leaves the most for the pieces after it.
        let mut pieces = tail.split('*').peekable();
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                return rest.ends_with(piece);
            }
            let Some((_, after)) = rest.split_once(piece) else {
                return false;
            };
            rest = after;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name) in [
            ("news", "news"),
            ("*", ""),
            ("*", "chat:alice.x"),
            ("news:*", "news:"),
            ("news:*", "news:a.b"),
            ("*:a*", "x:y:ab"),
            ("a*b*c", "a1b2b3c"),
            ("a**b", "ab"),
            ("*a", "ba"),
        ] {
            assert!(Pattern::new(pattern).fits(name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("news", "news:a"),
            ("news:*", "news"),
            ("news:*", "fake:news:a"),
            ("a*a", "a"),
            ("a*b*c", "acb"),
            ("a*b*b", "ab"),
            ("*b", "bc"),
            ("n?ws", "news"),
            ("News", "news"),
        ] {
            assert!(!Pattern::new(pattern).fits(name), "{pattern} {name}");
        }
    }
}
