//! Metrics as text, in the format that whoever asks can read.
//!
//! The client library writes OpenMetrics alone. The older text format, which tools and people get who do not ask for
//! OpenMetrics, is made of that: a counter is declared under the name of its series there, and an info is a gauge. Never
//! touches a series.

use axum::http::{HeaderMap, HeaderValue, header};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics of a registry, and the type of the content.
pub(crate) fn write(
    registry: &Registry,
    asked: &HeaderMap,
) -> Result<(HeaderValue, String), std::fmt::Error> {
    let mut text = String::new();
    encode(&mut text, registry)?;
    if wants_openmetrics(asked) {
        return Ok((HeaderValue::from_static(OPENMETRICS), text));
    }
    Ok((HeaderValue::from_static(TEXT), older(&text)))
}

fn wants_openmetrics(asked: &HeaderMap) -> bool {
    let accepted = asked.get_all(header::ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("application/openmetrics-text"))
}

fn older(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    // Comes before the type, on which the name depends.
    let mut help = "";
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest;
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            let about = help
                .split_once(' ')
                .map(|(_, about)| about)
                .unwrap_or_default();
            for part in [
                "# HELP ",
                name,
                suffix,
                " ",
                about,
                "\n# TYPE ",
                name,
                suffix,
                " ",
                kind,
                "\n",
            ] {
                text.push_str(part);
            }
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::{counter::Counter, gauge::Gauge, info::Info};
    use prometheus_client::registry::Unit;

    use super::*;

    fn registry() -> Registry {
        let mut registry = Registry::default();
        let counter: Counter = Counter::default();
        counter.inc();
        registry.register("frames", "Frames received", counter);
        registry.register_with_unit("memory", "Memory", Unit::Bytes, Gauge::<i64>::default());
        registry.register("build", "What runs", Info::new([("version", "1")]));
        registry
    }

    fn written(accept: Option<&'static str>) -> (HeaderValue, String) {
        let asked = accept.map(|accept| (header::ACCEPT, HeaderValue::from_static(accept)));
        write(&registry(), &asked.into_iter().collect()).unwrap()
    }

    #[test]
    fn who_asks_for_openmetrics_gets_it() {
        let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
        let (kind, text) = written(Some(accept));
        assert_eq!(kind, OPENMETRICS);
        assert!(
            text.contains("# TYPE frames counter\nframes_total 1\n"),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn others_get_the_older_format() {
        for accept in [None, Some("*/*"), Some("text/plain;version=0.0.4")] {
            let (kind, text) = written(accept);
            assert_eq!(kind, TEXT);
            assert_eq!(
                text,
                "# HELP frames_total Frames received.\n# TYPE frames_total counter\nframes_total 1\n\
                 # HELP memory_bytes Memory.\n# TYPE memory_bytes gauge\nmemory_bytes 0\n\
                 # HELP build_info What runs.\n# TYPE build_info gauge\nbuild_info{version=\"1\"} 1\n"
            );
        }
    }
}
