//! The address of a set of keys.
//!
//! Only plain HTTP: there is no TLS in this program, so a set on another machine has to come through a proxy beside this
//! one. An error never repeats what was given, since a wrong address may hold a password.

use axum::http::Uri;
use axum::http::uri::Scheme;

const DEFAULT_PORT: u16 = 80;

/// An address that can be asked over plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyUrl {
    /// As it stands in the header `Host`.
    pub(super) authority: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
}

/// Why an address can't be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUrlError {
    /// It is none.
    #[error("it is no URL")]
    NoUrl,
    /// It needs TLS, or something else than HTTP.
    #[error(
        "only http:// URLs are supported, such as http://localhost:8080/jwks.json; for https:// put a proxy beside \
         the server, or keep the set in a file and give --token-jwks-file"
    )]
    Scheme,
    /// It would be sent in the clear.
    #[error("the URL must hold no user")]
    User,
}

impl KeyUrl {
    /// Reads an address.
    pub(super) fn parse(text: &str) -> Result<Self, KeyUrlError> {
        let uri: Uri = text.trim().parse().map_err(|_| KeyUrlError::NoUrl)?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            let other = uri.scheme().is_some();
            return Err(if other {
                KeyUrlError::Scheme
            } else {
                KeyUrlError::NoUrl
            });
        }
        let authority = uri.authority().ok_or(KeyUrlError::NoUrl)?;
        if authority.as_str().contains('@') {
            return Err(KeyUrlError::User);
        }
        let host = authority.host();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            authority: authority.to_string(),
            host: host.trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(DEFAULT_PORT),
            path: path.to_owned(),
        })
    }

    /// Whether what is asked may pass other machines, where it can be changed on its way.
    pub(super) fn leaves_the_machine(&self) -> bool {
        let address: Result<std::net::IpAddr, _> = self.host.parse();
        !self.host.eq_ignore_ascii_case("localhost")
            && !address.is_ok_and(|address| address.to_canonical().is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyUrl, KeyUrlError};

    #[test]
    fn an_address_has_a_host_a_port_and_a_path() {
        for (text, host, port, path, leaves) in [
            (
                "http://localhost:8080/jwks.json",
                "localhost",
                8080,
                "/jwks.json",
                false,
            ),
            ("http://id/keys?v=1", "id", 80, "/keys?v=1", true),
            ("http://[::1]:1", "::1", 1, "/", false),
            ("http://10.0.0.1/", "10.0.0.1", 80, "/", true),
        ] {
            let url = KeyUrl::parse(text).unwrap();
            assert_eq!((&*url.host, url.port, &*url.path), (host, port, path));
            assert_eq!(url.leaves_the_machine(), leaves, "{text}");
        }
    }

    #[test]
    fn what_can_not_work_is_refused_without_repeating_it() {
        for (text, error) in [
            ("https://secret.example/keys", KeyUrlError::Scheme),
            ("ftp://secret/keys", KeyUrlError::Scheme),
            ("http://me:secret@id/keys", KeyUrlError::User),
            ("secret", KeyUrlError::NoUrl),
            ("/secret", KeyUrlError::NoUrl),
            ("not a url secret", KeyUrlError::NoUrl),
        ] {
            assert_eq!(KeyUrl::parse(text), Err(error), "{text}");
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
    }
}
