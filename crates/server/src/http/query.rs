//! What stands behind the `?`: each name once. Names that nobody asks for are ignored, as everywhere on the web.

use std::borrow::Cow;

use axum::http::Uri;

use super::Problem;

/// The values of a query, by the names that were asked for.
pub(super) struct Query<'a, const N: usize>([Option<Cow<'a, str>>; N]);

impl<'a, const N: usize> Query<'a, N> {
    /// Reads these names.
    pub(super) fn of(uri: &'a Uri, names: [&str; N]) -> Result<Self, Problem> {
        let mut values = [const { None }; N];
        let query = uri.query().unwrap_or("");
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = names.iter().position(|known| *known == name);
            match place.map(|place| &mut values[place]) {
                Some(Some(_)) => {
                    let why = format!("`{name}` stands there twice");
                    return Err(Problem::malformed(why));
                }
                Some(empty) => *empty = Some(value),
                None => {}
            }
        }
        Ok(Self(values))
    }

    /// The values, in the order of the names.
    pub(super) fn values(self) -> [Option<Cow<'a, str>>; N] {
        self.0
    }
}
