//! Where Redis is, out of a URL: one server, a primary that Sentinels know, or a Cluster.

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, TlsCertificates};

use crate::{Error, sentinel::Sentinels};

/// The port of Sentinels that are named without one.
const SENTINEL_PORT: &str = "26379";

/// Where Redis is.
pub(crate) enum Address {
    /// One server.
    One(Client),
    /// The primary that Sentinels know.
    Sentinels(Sentinels),
    /// Some nodes of a Cluster.
    Cluster(Vec<ConnectionInfo>),
}

/// What a URL of several servers is made of.
struct Several<'a> {
    /// What a URL of one of them begins with.
    scheme: &'static str,
    /// `user:password@`, or nothing.
    user: &'a str,
    hosts: Vec<&'a str>,
    path: &'a str,
    query: &'a str,
}

impl<'a> Several<'a> {
    fn of(scheme: &'static str, rest: &'a str) -> Self {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let at = authority.rfind('@').map_or(0, |at| at + 1);
        let (user, hosts) = authority.split_at(at);
        Self {
            scheme,
            user,
            hosts: hosts.split(',').filter(|host| !host.is_empty()).collect(),
            path,
            query,
        }
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        let pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs
            .into_iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}

impl Address {
    /// Reads a URL; checks it, and does not connect.
    pub(crate) fn parse(url: &str, tls: Option<&TlsCertificates>) -> Result<Self, Error> {
        let schemes = [
            ("redis-cluster://", "redis", true),
            ("rediss-cluster://", "rediss", true),
            ("redis-sentinel://", "redis", false),
            ("rediss-sentinel://", "rediss", false),
        ];
        for (prefix, scheme, cluster) in schemes {
            if let Some(rest) = url.strip_prefix(prefix) {
                let several = Several::of(scheme, rest);
                if several.hosts.is_empty() {
                    return Err(Error::Address("it names no host"));
                }
                return if cluster {
                    cluster_of(&several, tls)
                } else {
                    sentinels_of(&several, tls)
                };
            }
        }
        Ok(Self::One(client(url, tls)?))
    }
}

fn cluster_of(several: &Several<'_>, tls: Option<&TlsCertificates>) -> Result<Address, Error> {
    if !matches!(several.path, "" | "0") {
        return Err(Error::Address("a Cluster has no databases but 0"));
    }
    let Several {
        scheme,
        user,
        query,
        ..
    } = several;
    let nodes = several.hosts.iter().map(|host| {
        let client = client(&format!("{scheme}://{user}{host}/?{query}"), tls)?;
        Ok(client.get_connection_info().clone())
    });
    Ok(Address::Cluster(nodes.collect::<Result<_, Error>>()?))
}

fn sentinels_of(several: &Several<'_>, tls: Option<&TlsCertificates>) -> Result<Address, Error> {
    let Several { scheme, user, .. } = several;
    let (primary, db) = several.path.split_once('/').unwrap_or((several.path, ""));
    if primary.is_empty() {
        return Err(Error::Address(
            "it does not name the primary: redis-sentinel://host,host/name",
        ));
    }
    // Sentinels have users of their own.
    let own = match (
        several.parameter("sentinel_user"),
        several.parameter("sentinel_password"),
    ) {
        (None, None) => String::new(),
        (name, password) => format!(
            "{}:{}@",
            name.unwrap_or_default(),
            password.unwrap_or_default()
        ),
    };
    let clients = several.hosts.iter().map(|host| {
        let port = if has_port(host) { "" } else { SENTINEL_PORT };
        let colon = if port.is_empty() { "" } else { ":" };
        client(&format!("{scheme}://{own}{host}{colon}{port}/"), tls)
    });
    let clients = clients.collect::<Result<_, Error>>()?;
    let settings = client(&format!("{scheme}://{user}primary/{db}"), tls)?;
    let settings = settings.get_connection_info().clone();
    Ok(Address::Sentinels(Sentinels::new(
        clients,
        primary.to_owned(),
        settings,
    )))
}

/// Whether a host is followed by a port; an IPv6 address has colons of its own.
fn has_port(host: &str) -> bool {
    host.rsplit_once(':')
        .is_some_and(|(before, _)| !before.contains(':') || before.ends_with(']'))
}

fn client(url: &str, tls: Option<&TlsCertificates>) -> Result<Client, Error> {
    let info = url.into_connection_info().map_err(Error::Url)?;
    match tls {
        None => Client::open(info).map_err(Error::Url),
        Some(_) if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) => Err(Error::Address(
            "certificates are for `rediss://`, and this is none",
        )),
        Some(tls) => Client::build_with_tls(info, tls.clone()).map_err(Error::Url),
    }
}

/// The same in another place.
pub(crate) fn at(info: &ConnectionInfo, host: String, port: u16) -> ConnectionInfo {
    let addr = match info.addr() {
        ConnectionAddr::TcpTls {
            insecure,
            tls_params,
            ..
        } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        _ => ConnectionAddr::Tcp(host, port),
    };
    info.clone().set_addr(addr)
}

/// The first of some places, without user and password, and how many more there are.
pub(crate) fn first<'a>(mut infos: impl Iterator<Item = &'a ConnectionInfo>) -> String {
    let first = infos.next().map(|info| info.addr().to_string());
    let first = first.unwrap_or_default();
    match infos.count() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    fn parsed(url: &str) -> Result<String, String> {
        match Address::parse(url, None) {
            Ok(Address::One(client)) => Ok(client.get_connection_info().addr().to_string()),
            Ok(Address::Sentinels(sentinels)) => Ok(sentinels.address()),
            Ok(Address::Cluster(infos)) => {
                let user = infos[0].redis_settings().username().map(str::to_owned);
                let password = infos[0].redis_settings().password().map(str::to_owned);
                let first = super::first(infos.iter());
                Ok(format!("{first} {user:?} {password:?}"))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn urls_say_where_redis_is() {
        for (url, said) in [
            ("redis://a:7000/1", "a:7000"),
            ("redis-cluster://a:7000,b", "a:7000 and 1 more None None"),
            (
                "redis-cluster://u:p%40@a,[::1]:7001/0",
                r#"a:6379 and 1 more Some("u") Some("p@")"#,
            ),
            (
                "redis-sentinel://:secret@a,b:7/main/2?sentinel_password=other",
                "a:26379 and 1 more, which know main",
            ),
        ] {
            assert_eq!(parsed(url).as_deref(), Ok(said), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, said) in [
            ("redis-cluster://", "names no host"),
            ("redis-cluster://a/3", "no databases"),
            ("redis-sentinel://a,b", "does not name the primary"),
            ("http://a", "can't be used"),
        ] {
            let error = parsed(url).unwrap_err();
            assert!(error.contains(said), "{url}: {error}");
        }
    }
}
