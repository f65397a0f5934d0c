//! Where traces go: the address of an OpenTelemetry collector.
//!
//! Only plain HTTP: a collector is a neighbour, or behind a proxy that speaks TLS for it. An error never repeats what
//! was given, since a wrong address may hold a password.

use anyhow::{Context as _, bail};
use http::Uri;
use http::uri::Scheme;

/// What OTLP over HTTP adds to the address for traces.
const PATH: &str = "/v1/traces";
const DEFAULT_PORT: u16 = 80;

/// A collector that can be reached over plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The full URL that spans are posted to.
    pub(crate) url: String,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Endpoint {
    /// Reads a setting; nothing, or an empty text, means that traces go nowhere.
    pub(crate) fn read(setting: Option<&str>) -> anyhow::Result<Option<Self>> {
        match setting.map(str::trim) {
            None | Some("") => Ok(None),
            Some(text) => Self::parse(text).map(Some).context("--otlp-endpoint"),
        }
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let uri: Uri = text.parse().map_err(|_| anyhow::anyhow!("not a URL"))?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            bail!("only http:// URLs are supported, such as http://localhost:4318");
        }
        let authority = uri.authority().context("the URL has no host")?;
        if authority.as_str().contains('@') {
            bail!("the URL must hold no user: credentials go into OTEL_EXPORTER_OTLP_HEADERS");
        }
        if uri.query().is_some() {
            bail!("the URL must have no query");
        }
        let path = uri.path().trim_end_matches('/');
        Ok(Self {
            url: format!("http://{authority}{path}{PATH}"),
            host: authority
                .host()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port: authority.port_u16().unwrap_or(DEFAULT_PORT),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    fn read(text: &str) -> Endpoint {
        Endpoint::read(Some(text)).unwrap().unwrap()
    }

    #[test]
    fn the_path_of_traces_is_added() {
        for (text, url, host, port) in [
            (
                "http://localhost:4318",
                "http://localhost:4318/v1/traces",
                "localhost",
                4318,
            ),
            ("http://a/otel/", "http://a/otel/v1/traces", "a", 80),
            ("http://[::1]:1", "http://[::1]:1/v1/traces", "::1", 1),
        ] {
            let endpoint = read(text);
            assert_eq!(
                (endpoint.url.as_str(), endpoint.host.as_str(), endpoint.port),
                (url, host, port)
            );
        }
    }

    #[test]
    fn nothing_means_off() {
        assert_eq!(Endpoint::read(None).unwrap(), None);
        assert_eq!(Endpoint::read(Some(" ")).unwrap(), None);
    }

    #[test]
    fn what_can_not_work_is_refused_without_repeating_it() {
        for text in [
            "https://collector:4318",
            "localhost:4318",
            "http://me:secret@collector",
            "http://collector/?token=secret",
            "not a url secret",
        ] {
            let error = format!("{:#}", Endpoint::read(Some(text)).unwrap_err());
            assert!(error.starts_with("--otlp-endpoint: "), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
