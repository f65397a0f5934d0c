//! Which web pages may connect.
//!
//! A browser connects wherever a page tells it to and says in `Origin` which page it was; a server that does not
//! look lets any page on the web act for its visitor. Programs send no `Origin` and are not concerned.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::Pattern;

/// Decides by `Origin` and `Host`.
#[derive(Clone, Debug)]
pub struct OriginPolicy {
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    /// Only these patterns, in lower case, and whether each is of whole origins.
    Listed(Vec<(Pattern, bool)>),
    /// Only the server's own pages. On a loopback address its names are known, and any other name was pointed
    /// there by somebody else's DNS.
    Own { loopback: bool },
}

/// Why a page may not connect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pages of {origin} may not connect here; the server's --allowed-origins says which may")]
pub struct OriginRefused {
    /// What the browser said, shortened.
    origin: String,
}

impl OriginPolicy {
    /// Only origins that match one of `patterns` may connect; if there are none, only the server's own pages.
    ///
    /// A pattern with `://` is compared with the whole origin, another with its host and port. `*` stands for
    /// any characters.
    pub fn new(patterns: &[String], loopback: bool) -> Self {
        let rule = if patterns.is_empty() {
            Rule::Own { loopback }
        } else {
            Rule::Listed(
                patterns
                    .iter()
                    .map(|text| {
                        (
                            Pattern::new(text.to_ascii_lowercase()),
                            text.contains("://"),
                        )
                    })
                    .collect(),
            )
        };
        Self { rule }
    }

    /// Judges a request by its headers.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), OriginRefused> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(first) = origins.next() else {
            return Ok(());
        };
        let allowed = match (first.to_str(), origins.next()) {
            (Ok(origin), None) => {
                self.allows(&origin.to_ascii_lowercase(), headers.get(header::HOST))
            }
            _ => false,
        };
        if allowed {
            return Ok(());
        }
        let origin = String::from_utf8_lossy(first.as_bytes())
            .chars()
            .take(200)
            .collect();
        Err(OriginRefused { origin })
    }

    /// Judges a request that tells no origin, as browsers send it to read from what they take for a page's own server: on
    /// a loopback address, any name but this machine's was pointed there by somebody else's DNS.
    pub fn check_host(&self, headers: &HeaderMap) -> Result<(), OriginRefused> {
        let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
        let host = String::from_utf8_lossy(host.unwrap_or_default()).to_ascii_lowercase();
        match self.rule {
            Rule::Own { loopback: true } if !is_loopback(&host) => {
                let origin = host.chars().take(200).collect();
                Err(OriginRefused { origin })
            }
            _ => Ok(()),
        }
    }

    fn allows(&self, origin: &str, host: Option<&HeaderValue>) -> bool {
        let (scheme, authority) = origin.split_once("://").unwrap_or(("", origin));
        match &self.rule {
            Rule::Listed(patterns) => patterns
                .iter()
                .any(|(pattern, whole)| pattern.fits(if *whole { origin } else { authority })),
            Rule::Own { loopback } => {
                let Some(host) = host.and_then(|host| host.to_str().ok()) else {
                    return false;
                };
                let host = host.to_ascii_lowercase();
                let port = if scheme == "https" { ":443" } else { ":80" };
                let bare = |name: &str| name.strip_suffix(port).unwrap_or(name).to_owned();
                !scheme.is_empty()
                    && bare(authority) == bare(&host)
                    && (!loopback || is_loopback(&host))
            }
        }
    }
}

/// Whether `host`, with or without a port, can only mean this machine.
fn is_loopback(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix("[::1]") {
        return rest.is_empty() || rest.starts_with(':');
    }
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    name == "localhost"
        || name
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::OriginPolicy;

    fn check(policy: &OriginPolicy, origin: &str, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        policy.check(&headers).is_ok()
    }

    fn listed(patterns: &[&str]) -> OriginPolicy {
        let patterns: Vec<_> = patterns.iter().map(ToString::to_string).collect();
        OriginPolicy::new(&patterns, true)
    }

    #[test]
    fn programs_are_not_concerned() {
        assert!(
            OriginPolicy::new(&[], true)
                .check(&HeaderMap::new())
                .is_ok()
        );
        assert!(
            listed(&["https://example.com"])
                .check(&HeaderMap::new())
                .is_ok()
        );
    }

    #[test]
    fn without_a_list_only_the_own_pages_may_connect() {
        let policy = OriginPolicy::new(&[], false);
        assert!(check(
            &policy,
            "http://chat.example.com:3000",
            "Chat.example.com:3000"
        ));
        assert!(check(
            &policy,
            "https://chat.example.com",
            "chat.example.com:443"
        ));
        assert!(check(
            &policy,
            "http://chat.example.com",
            "chat.example.com:80"
        ));
        assert!(check(
            &policy,
            "http://[2001:db8::1]:3000",
            "[2001:db8::1]:3000"
        ));
        for (origin, host) in [
            ("https://evil.example.com", "chat.example.com"),
            ("http://chat.example.com:3001", "chat.example.com:3000"),
            ("http://chat.example.com", "chat.example.com:443"),
            ("null", "chat.example.com"),
            ("null", "null"),
            ("", ""),
        ] {
            assert!(!check(&policy, origin, host), "{origin} to {host}");
        }
    }

    #[test]
    fn a_name_that_was_pointed_at_loopback_is_refused() {
        let policy = OriginPolicy::new(&[], true);
        assert!(!check(
            &policy,
            "http://evil.example.com:3000",
            "evil.example.com:3000"
        ));
        assert!(!check(
            &policy,
            "http://127.0.0.1.evil.com",
            "127.0.0.1.evil.com"
        ));
        assert!(!check(
            &policy,
            "http://localhost.evil.com",
            "localhost.evil.com"
        ));
        for own in [
            "localhost:3000",
            "LOCALHOST",
            "127.0.0.1:3000",
            "127.9.9.9",
            "[::1]:3000",
            "[::1]",
        ] {
            assert!(check(&policy, &format!("http://{own}"), own), "{own}");
        }
    }

    #[test]
    fn who_reads_without_an_origin_must_know_the_machines_name() {
        let host = |policy: &OriginPolicy, host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            policy.check_host(&headers).is_ok()
        };
        let own = OriginPolicy::new(&[], true);
        assert!(host(&own, "LOCALHOST:3000") && host(&own, "127.0.0.1:3000"));
        assert!(!host(&own, "evil.example.com:3000") && !host(&own, ""));
        assert!(own.check_host(&HeaderMap::new()).is_err());
        assert!(host(&OriginPolicy::new(&[], false), "chat.example.com"));
        assert!(host(&listed(&["x"]), "chat.example.com"));
    }

    #[test]
    fn a_list_replaces_the_rule() {
        let policy = listed(&["https://*.Example.com", "localhost:*"]);
        assert!(check(&policy, "https://a.example.COM", "x"));
        assert!(check(&policy, "https://a.b.example.com", "x"));
        assert!(check(&policy, "http://localhost:5173", "x"));
        assert!(!check(&policy, "http://a.example.com", "x"));
        assert!(!check(&policy, "https://example.com", "x"));
        assert!(!check(&policy, "https://a.example.com.evil.com", "x"));
        assert!(!check(&policy, "http://127.0.0.1:3000", "127.0.0.1:3000"));
        assert!(check(&listed(&["*"]), "null", "x"));
    }

    #[test]
    fn two_origins_are_one_too_many() {
        let mut headers = HeaderMap::new();
        headers.append(header::ORIGIN, HeaderValue::from_static("http://a"));
        headers.append(header::ORIGIN, HeaderValue::from_static("http://b"));
        assert!(listed(&["*"]).check(&headers).is_err());
    }
}
