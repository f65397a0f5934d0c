//! A token for one channel. It is permission to subscribe by itself, so all of it has to fit.

use crate::identity::SubGrant;

/// What a subscription token says.
#[derive(Clone, Debug)]
pub struct SubscriptionToken {
    /// The channel that it is for, as it stands on the wire.
    pub channel: String,
    /// The user that it is for; empty for an anonymous one.
    pub user: String,
    /// The connection that it is for, if only one.
    pub client: Option<String>,
    /// When the subscription has to end unless it is refreshed, in seconds since the Unix epoch.
    pub expires_at: Option<u64>,
    /// What goes with the subscription.
    pub grant: SubGrant,
}

impl SubscriptionToken {
    /// Whether it is for this channel, user and connection.
    pub fn fits(&self, channel: &str, user: &str, client: &str) -> bool {
        self.channel == channel
            && self.user == user
            && self.client.as_ref().is_none_or(|only| only == client)
    }
}

#[cfg(test)]
mod tests {
    use super::SubscriptionToken;

    #[test]
    fn all_of_it_has_to_fit() {
        let mut token = SubscriptionToken {
            channel: "news:a".to_owned(),
            user: "alice".to_owned(),
            client: None,
            expires_at: None,
            grant: crate::identity::SubGrant::default(),
        };
        assert!(token.fits("news:a", "alice", "c1"));
        assert!(!token.fits("news:b", "alice", "c1"));
        assert!(!token.fits("news:a", "bob", "c1"));
        assert!(!token.fits("news:a", "", "c1"));
        token.client = Some("c1".to_owned());
        assert!(token.fits("news:a", "alice", "c1"));
        assert!(!token.fits("news:a", "alice", "c2"));
    }
}
