//! What a token says, once its signature is known to be right.
//!
//! Pure: reads no clock and knows no key. What Centrifugo's tokens hold is read as Centrifugo reads it; members of
//! `allow` and `limits`, which are ours, must be known ones, so that a typing error does not grant more than was meant.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::{Kind, QueueName};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{Reason, TokenError};
use super::seconds::Seconds;
use super::subscription::SubscriptionToken;
use super::tenant;
use crate::identity::{Identity, Overrides, Scope, ScopeLimits, SubGrant};
use service::Pattern;

/// How long a connection or subscription may go on without a new token, in seconds: one year.
const MAX_LIFETIME: u64 = 365 * 24 * 3600;

/// The claims that mean something here; all are optional.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    sub: Option<String>,
    aud: Option<Audience>,
    iss: Option<String>,
    exp: Option<Seconds>,
    nbf: Option<Seconds>,
    expire_at: Option<Seconds>,

    channel: Option<String>,
    client: Option<String>,
    info: Option<Box<RawValue>>,
    b64info: Option<String>,
    data: Option<Box<RawValue>>,
    b64data: Option<String>,
    #[serde(rename = "override")]
    overrides: Option<OverrideClaims>,
    channels: Option<Vec<String>>,
    subs: Option<BTreeMap<String, GrantClaims>>,

    tenant: Option<String>,
    queues: Option<Vec<QueueName>>,
    kinds: Option<Vec<Kind>>,
    allow: Option<Allow>,
    limits: Option<ScopeLimits>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    #[serde(default)]
    subscribe: Vec<String>,
    #[serde(default)]
    publish: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct GrantClaims {
    info: Option<Box<RawValue>>,
    b64info: Option<String>,
    data: Option<Box<RawValue>>,
    b64data: Option<String>,
    #[serde(rename = "override")]
    overrides: Option<OverrideClaims>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OverrideClaims {
    presence: Option<Switch>,
    join_leave: Option<Switch>,
    force_push_join_leave: Option<Switch>,
    force_recovery: Option<Switch>,
    force_positioning: Option<Switch>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Switch {
    #[serde(default)]
    value: bool,
}

/// What every token must say, if anything.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    pub(super) audience: Option<String>,
    pub(super) issuer: Option<String>,
}

impl Claims {
    /// What a connection token says, at the given time in seconds since the Unix epoch.
    pub(super) fn connection(
        mut self,
        expected: &Expected,
        now: u64,
    ) -> Result<Arc<Identity>, TokenError> {
        self.is_for(expected)?;
        if self.channel.as_ref().is_some_and(|name| !name.is_empty()) {
            return Err(Reason::HasChannel.into());
        }
        let user = self.sub.take().unwrap_or_default();
        let tenant = tenant::of(self.tenant.as_deref(), &user).ok_or(Reason::Tenant)?;
        let info = json(self.info.take(), self.b64info.take())?;
        let subs = self.server_side()?;
        let expires_at = self.time(now)?;
        let allow = self.allow.unwrap_or_default();
        let patterns = |texts: Vec<String>| texts.into_iter().map(Pattern::new).collect();
        Ok(Arc::new(Identity {
            user,
            tenant,
            scope: Scope {
                queues: self.queues,
                kinds: self.kinds,
                channels: patterns(allow.subscribe),
                publish: patterns(allow.publish),
                limits: self.limits.unwrap_or_default(),
            },
            info,
            expires_at,
            subs,
        }))
    }

    /// What a subscription token says, at the given time in seconds since the Unix epoch.
    pub(super) fn subscription(
        mut self,
        expected: &Expected,
        now: u64,
    ) -> Result<SubscriptionToken, TokenError> {
        self.is_for(expected)?;
        let channel = self.channel.take().filter(|name| !name.is_empty());
        let channel = channel.ok_or(Reason::NoChannel)?;
        let grant = GrantClaims {
            info: self.info.take(),
            b64info: self.b64info.take(),
            data: self.data.take(),
            b64data: self.b64data.take(),
            overrides: self.overrides.take(),
        };
        let grant = grant.read()?;
        let expires_at = self.time(now)?;
        Ok(SubscriptionToken {
            channel,
            user: self.sub.unwrap_or_default(),
            client: self.client.filter(|client| !client.is_empty()),
            expires_at,
            grant,
        })
    }

    fn is_for(&self, expected: &Expected) -> Result<(), Reason> {
        if let Some(wanted) = &expected.audience {
            let is_named = match &self.aud {
                None => false,
                Some(Audience::One(name)) => name == wanted,
                Some(Audience::Many(names)) => names.contains(wanted),
            };
            if !is_named {
                return Err(Reason::Audience);
            }
        }
        if expected.issuer.is_some() && self.iss != expected.issuer {
            return Err(Reason::Issuer);
        }
        Ok(())
    }

    /// Refuses a token out of its time, and says when what it grants is over; never, if nothing is said.
    fn time(&self, now: u64) -> Result<Option<u64>, TokenError> {
        let has_expired = self.exp.is_some_and(|exp| exp.0 <= now);
        if has_expired || self.nbf.is_some_and(|nbf| nbf.0 > now) {
            return Err(TokenError::Expired);
        }
        let end = match self.expire_at {
            Some(Seconds(0)) => None,
            Some(end) => Some(end),
            None => self.exp,
        };
        let end = end.map(|end| end.0.min(now.saturating_add(MAX_LIFETIME)));
        if end.is_some_and(|end| end <= now) {
            return Err(TokenError::Ended);
        }
        Ok(end)
    }

    /// `subs`, or if it is missing or empty, `channels`.
    fn server_side(&mut self) -> Result<Vec<(String, SubGrant)>, Reason> {
        let subs = self.subs.take().unwrap_or_default();
        if !subs.is_empty() {
            let read = |(name, grant): (String, GrantClaims)| Ok((name, grant.read()?));
            return subs.into_iter().map(read).collect();
        }
        let mut channels = self.channels.take().unwrap_or_default();
        channels.sort_unstable();
        channels.dedup();
        let plain = |name| (name, SubGrant::default());
        Ok(channels.into_iter().map(plain).collect())
    }
}

impl GrantClaims {
    fn read(self) -> Result<SubGrant, Reason> {
        let value = |switch: Option<Switch>| switch.map(|switch| switch.value);
        let overrides = self.overrides.unwrap_or_default();
        Ok(SubGrant {
            info: json(self.info, self.b64info)?,
            data: json(self.data, self.b64data)?,
            overrides: Overrides {
                presence: value(overrides.presence),
                join_leave: value(overrides.join_leave),
                force_push_join_leave: value(overrides.force_push_join_leave),
                force_recovery: value(overrides.force_recovery),
                force_positioning: value(overrides.force_positioning),
            },
        })
    }
}

/// JSON from one of two claims, the encoded one first, without the spaces and line breaks around its parts: what comes
/// from a token is sent on inside lines.
fn json(plain: Option<Box<RawValue>>, base64: Option<String>) -> Result<Json, Reason> {
    let value = match base64.filter(|text| !text.is_empty()) {
        Some(text) => {
            let bytes = STANDARD.decode(text).map_err(|_| Reason::Claims)?;
            let text = String::from_utf8(bytes).map_err(|_| Reason::Claims)?;
            Some(RawValue::from_string(text).map_err(|_| Reason::Claims)?)
        }
        None => plain,
    };
    let compact = |value: Box<RawValue>| RawValue::from_string(compact(value.get())).ok();
    Ok(value
        .and_then(compact)
        .filter(|value| value.get() != "null"))
}

type Json = Option<Box<RawValue>>;

/// Leaves out the whitespace of a valid JSON text that is not inside a string.
fn compact(json: &str) -> String {
    let mut inside = false;
    let mut escaped = false;
    let mut kept = String::with_capacity(json.len());
    for c in json.chars() {
        if inside {
            inside = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if matches!(c, ' ' | '\t' | '\r' | '\n') {
            continue;
        } else {
            inside = c == '"';
        }
        kept.push(c);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{compact, json};

    #[test]
    fn json_from_tokens_is_one_line() {
        for (json, line) in [
            ("{ \"a\" :\n[ 1 , 2 ] }", r#"{"a":[1,2]}"#),
            (r#"{"a b": " \" \\" , "c": 1}"#, r#"{"a b":" \" \\","c":1}"#),
            ("12.50", "12.50"),
        ] {
            assert_eq!(compact(json), line);
        }
    }

    #[test]
    fn encoded_json_comes_first_and_has_to_be_json() {
        let raw = |text: &str| serde_json::from_str(text).unwrap();
        let read = |plain, base64: &str| {
            json(plain, Some(base64.to_owned())).map(|value| value.map(|value| value.to_string()))
        };
        // {"a": 1}
        let encoded = "eyJhIjogMX0=";
        assert_eq!(
            read(Some(raw("2")), encoded),
            Ok(Some(r#"{"a":1}"#.to_owned()))
        );
        assert_eq!(read(Some(raw("2")), ""), Ok(Some("2".to_owned())));
        assert_eq!(read(None, ""), Ok(None));
        // null, `1 2`, no UTF-8, no base 64
        assert_eq!(read(None, "bnVsbA=="), Ok(None));
        for bad in ["MSAy", "/w==", "?"] {
            assert!(read(None, bad).is_err(), "{bad}");
        }
    }
}
