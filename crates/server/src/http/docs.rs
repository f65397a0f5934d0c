//! The description of the API, and a page to read it and try it.
//!
//! The page is one file that loads nothing but the description; its policy allows nothing else.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use crate::page::document;

const PAGE: &str = include_str!("docs.html");

/// The description, which is the same for everybody and as old as the process.
pub(super) fn description(json: Bytes) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, json).into_response()
}

/// The page.
pub(super) fn page() -> Response {
    document(PAGE)
}

#[cfg(test)]
mod tests {
    use super::PAGE;
    use crate::page::NONCE;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        assert_eq!(PAGE.matches(NONCE).count(), 2, "one style, one script");
        for foreign in [
            "http://",
            "https://",
            "//cdn",
            "@import",
            "innerHTML",
            " style=",
            " onclick=",
        ] {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
    }
}
