//! The dashboard at `/`: files that are part of this binary, for whoever opens the manager's address in a browser.
//!
//! They hold nothing that is secret, so they are given to everyone; what they show is asked of the admin API, with a token
//! where one is needed. Their policy lets them load from here alone, and run no script but those in the files.

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

const POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the dashboard: where it is served, what it is, and what is in it.
type Asset = (&'static str, &'static str, &'static str);

macro_rules! assets {
    ($($kind:ident: $($name:literal),+ $(,)?;)+) => {
        &[$($((concat!("/", $name), $kind, include_str!(concat!("dashboard/", $name))),)+)+]
    };
}

const INDEX: &str = include_str!("dashboard/index.html");

const ASSETS: &[Asset] = assets! {
    CSS: "base.css", "narrow.css", "pages.css", "parts.css", "shell.css";
    JS: "actions.js", "api.js", "app.js", "backtrace.js", "bulk.js", "chart.js", "dialog.js", "dom.js", "enqueue.js", "errors.js",
        "filters.js", "find.js", "format.js", "history.js", "icons.js", "job.js", "jobs.js", "json.js", "keys.js", "live.js",
        "nav.js", "output.js", "overview.js", "parts.js", "poll.js", "queue.js", "queues.js", "redis.js", "router.js",
        "schedule.js", "schedules.js", "stream.js", "tenants.js", "theme.js", "time.js", "timeline.js", "toast.js", "token.js",
        "workers.js";
    SVG: "mark.svg";
};

/// The routes of the dashboard's files. They stand beside those of the API and of health.
pub(crate) fn router() -> Router {
    let all = std::iter::once(("/", HTML, INDEX)).chain(ASSETS.iter().copied());
    all.fold(Router::new(), |router, (path, kind, text)| {
        let tag = tag(text);
        router.route(
            path,
            get(async move |headers: HeaderMap| answer(&headers, kind, text, &tag)),
        )
    })
}

/// Names what is in a file: a browser that has it need not be sent it again. FNV-1a, since nobody can put a file here.
fn tag(text: &str) -> HeaderValue {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    HeaderValue::from_str(&format!("\"{hash:016x}\"")).expect("a tag of hexadecimal digits")
}

fn answer(
    asked: &HeaderMap,
    kind: &'static str,
    text: &'static str,
    tag: &HeaderValue,
) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::ETAG, tag.clone()),
        // A browser asks each time, so that all files are of the same version.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| {
        let known = known.as_bytes();
        known
            .windows(tag.as_bytes().len())
            .any(|part| part == tag.as_bytes())
    });
    if known {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else {
        (headers, text).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::http::{HeaderMap, StatusCode, header};

    use super::{ASSETS, INDEX, JS, POLICY, answer, tag};

    const MAX_LINES: usize = 400;

    #[test]
    fn every_file_of_the_folder_is_served_and_short() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dashboard");
        let there: BTreeSet<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("/{}", entry.unwrap().file_name().to_str().unwrap()))
            .filter(|path| path != "/index.html")
            .collect();
        let served: BTreeSet<_> = ASSETS.iter().map(|(path, ..)| (*path).to_owned()).collect();
        assert_eq!(there, served);
        for (path, _, text) in ASSETS {
            assert!(text.lines().count() <= MAX_LINES, "{path}");
        }
    }

    #[test]
    fn nothing_comes_from_elsewhere_and_no_data_is_read_as_markup() {
        // A name, which nothing is loaded from.
        let svg = "\"http://www.w3.org/2000/svg\"";
        for (path, kind, text) in ASSETS.iter().chain([&("/", super::HTML, INDEX)]) {
            let text = text.replace(svg, "");
            let foreign = ["http://", "https://", "//cdn", "@import", "url("];
            let markup = [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "DOMParser",
                "srcdoc",
                "eval(",
                "new Function",
                "javascript:",
                " style=",
                " onclick=\"",
            ];
            for word in foreign.into_iter().chain(markup) {
                assert!(!text.contains(word), "{path}: {word}");
            }
            if *kind == JS {
                assert!(text.starts_with("/* "), "{path} says why it exists");
            }
        }
        assert!(!POLICY.contains("unsafe"));
    }

    #[test]
    fn modules_import_only_files_that_are_there() {
        for (path, _, text) in ASSETS {
            for import in text.split(" from \"./").skip(1) {
                let name = format!("/{}", import.split('"').next().unwrap());
                assert!(
                    ASSETS.iter().any(|(there, ..)| *there == name),
                    "{path} imports {name}"
                );
            }
        }
    }

    #[test]
    fn a_browser_that_has_a_file_is_not_sent_it_again() {
        let tag = tag(INDEX);
        let mut asked = HeaderMap::new();
        assert_eq!(
            answer(&asked, super::HTML, INDEX, &tag).status(),
            StatusCode::OK
        );
        asked.insert(
            header::IF_NONE_MATCH,
            format!("W/{}", tag.to_str().unwrap()).parse().unwrap(),
        );
        let again = answer(&asked, super::HTML, INDEX, &tag);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert!(
            again
                .headers()
                .contains_key(header::CONTENT_SECURITY_POLICY)
        );
        asked.insert(header::IF_NONE_MATCH, "\"another\"".parse().unwrap());
        assert_eq!(
            answer(&asked, super::HTML, INDEX, &tag).status(),
            StatusCode::OK
        );
    }
}
