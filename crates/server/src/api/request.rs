//! The parameters of the API's methods.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What is published: in one channel, or in several.
#[derive(Deserialize)]
pub(super) struct Publish {
    #[serde(default)]
    pub(super) channel: String,
    #[serde(default)]
    pub(super) channels: Vec<String>,
    #[serde(default)]
    pub(super) data: Option<Box<RawValue>>,
    #[serde(default)]
    pub(super) skip_history: bool,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) idempotency_key: String,
}

#[derive(Deserialize)]
pub(super) struct Subscribe {
    pub(super) user: String,
    pub(super) channel: String,
    #[serde(default)]
    pub(super) client: String,
    #[serde(default)]
    pub(super) data: Option<Box<RawValue>>,
    #[serde(default)]
    pub(super) info: Option<Box<RawValue>>,
    #[serde(default)]
    pub(super) recover_since: Option<Since>,
}

#[derive(Deserialize)]
pub(super) struct Unsubscribe {
    pub(super) user: String,
    pub(super) channel: String,
    #[serde(default)]
    pub(super) client: String,
}

#[derive(Deserialize)]
pub(super) struct Disconnect {
    pub(super) user: String,
    #[serde(default)]
    pub(super) client: String,
    #[serde(default)]
    pub(super) whitelist: Vec<String>,
    #[serde(default, rename = "disconnect")]
    pub(super) close: Option<Close>,
}

#[derive(Deserialize)]
pub(super) struct Close {
    pub(super) code: u16,
    #[serde(default)]
    pub(super) reason: String,
}

#[derive(Deserialize)]
pub(super) struct Refresh {
    pub(super) user: String,
    #[serde(default)]
    pub(super) client: String,
    #[serde(default)]
    pub(super) expired: bool,
    #[serde(default)]
    pub(super) expire_at: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) channel: String,
}

#[derive(Deserialize)]
pub(super) struct Since {
    #[serde(default)]
    pub(super) offset: u64,
    #[serde(default)]
    pub(super) epoch: String,
}

#[derive(Deserialize)]
pub(super) struct Batch {
    #[serde(default)]
    pub(super) commands: Vec<BTreeMap<String, Box<RawValue>>>,
}
