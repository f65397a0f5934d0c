//! The demo page, for whoever opens the server's address in a browser.
//!
//! It is sent as one document without anything from elsewhere, and its policy lets it load nothing and connect only back
//! here.

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};

/// Stands in the page where the nonce goes.
pub(crate) const NONCE: &str = "{{nonce}}";

/// The page, but for the nonce. Its script is one after all: what a part declares, those after it see.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let script = [
        "\"use strict\";\n",
        include_str!("page/session.js"),
        include_str!("page/chat.js"),
        include_str!("page/job.js"),
        include_str!("page/main.js"),
    ];
    include_str!("page/index.html")
        .replace("{{style}}", include_str!("page/style.css"))
        .replace("{{script}}", &script.concat())
});

/// The page.
pub(crate) fn response() -> Response {
    let mut response = document(&PAGE);
    // Its next request is a WebSocket, which needs a connection of its own anyway.
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// A page with a policy that admits its own script and style, by a nonce that nobody could have known.
pub(crate) fn document(page: &str) -> Response {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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
    (headers, Html(page.replace(NONCE, &nonce))).into_response()
}

#[cfg(test)]
mod tests {
    use super::{NONCE, PAGE, response};

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        assert_eq!(PAGE.matches(NONCE).count(), 2, "one style, one script");
        assert_eq!(PAGE.matches("{{").count(), 2, "all else is filled in");
        assert_eq!(PAGE.matches("</script").count(), 1);
        for foreign in [
            "http://",
            "https://",
            "//cdn",
            "@import",
            "innerHTML",
            "eval(",
            " style=",
            " onclick=",
        ] {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn every_response_has_a_nonce_of_its_own() {
        let policy = || response().headers()["content-security-policy"].clone();
        assert_ne!(policy(), policy());
    }
}
