mod pattern;
use std::sync::Arc;

pub use pattern::Pattern;

use crate::Identity;
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("a token is required")]
    TokenRequired,
    #[error("expired")]
    Expired,
    #[error("invalid")]
    Invalid,
}
pub struct SubscriptionToken {
    pub channel: String,
    pub user: String,
    pub client: Option<String>,
    pub expires_at: Option<u64>,
    pub info: Option<Box<serde_json::value::RawValue>>,
    pub data: Option<Box<serde_json::value::RawValue>>,
    pub overrides: crate::identity::Overrides,
}
pub struct Access {
    pub insecure: bool,
}
impl Access {
    pub async fn admit(&self, _token: Option<&str>) -> Result<Arc<Identity>, Denied> {
        Ok(if self.insecure {
            Identity::unlimited()
        } else {
            Identity::anonymous()
        })
    }
    pub async fn subscription(&self, _token: &str) -> Result<SubscriptionToken, Denied> {
        Err(Denied::Invalid)
    }
}
