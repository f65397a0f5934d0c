//! The description of the API, and a page to read it and try it.
//!
//! The page is one file that loads nothing but the description; its policy allows nothing else.

use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use bytes::Bytes;

const PAGE: &str = include_str!("docs.html");
/// Stands in the page where the nonce goes.
const NONCE: &str = "{{nonce}}";

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
    let nonce = format!("{:032x}", rand::random::<u128>());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).expect("a nonce of hexadecimal digits");
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Html(PAGE.replace(NONCE, &nonce))).into_response()
}

#[cfg(test)]
mod tests {
    use super::{NONCE, PAGE};

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
