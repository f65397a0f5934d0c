//! Who a client is, and what it may do.
//!
//! Made once a connection or request, by `auth`; everything else asks it. It holds no token, so it may be logged, and
//! it decides only by names: whose a job is that a topic means by its id, the caller has to look up.

use std::sync::{Arc, LazyLock};

use protocol::{JobId, Kind, QueueName, Tenant, Topic};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::auth::Pattern;

/// A client, as its token says, or an anonymous one.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The user's id as the application knows it; empty for an anonymous client.
    pub user: String,
    /// Whose its jobs and topics are.
    pub tenant: Tenant,
    /// What it may do.
    pub scope: Scope,
    /// What others see of it beside its id (`conn_info`), on one line.
    pub info: Option<Box<RawValue>>,
    /// When the connection has to end unless it is refreshed, in seconds since the Unix epoch.
    pub expires_at: Option<u64>,
    /// What the server subscribes it to by itself, in the order of the names.
    pub subs: Vec<(String, SubGrant)>,
}

/// What a client may do.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The queues it may use; all if there is no list.
    pub queues: Option<Vec<QueueName>>,
    /// The kinds of jobs it may submit; all if there is no list.
    pub kinds: Option<Vec<Kind>>,
    /// The channels it may subscribe to and read, beside those of its tenant.
    pub channels: Vec<Pattern>,
    /// The channels it may publish to, beside those that everyone may.
    pub publish: Vec<Pattern>,
    /// How much it may do.
    pub limits: ScopeLimits,
}

/// How much a client may do; what is not given here is as the server sets it for everyone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeLimits {
    /// How many jobs it may submit in a second.
    pub max_submits_per_second: Option<u32>,
    /// How long a payload may be, in bytes.
    pub max_payload_bytes: Option<usize>,
    /// How many channels it may be subscribed to.
    pub max_subscriptions: Option<u32>,
    /// How many connections of this user there may be.
    pub max_connections: Option<u32>,
}

/// What a token says of one subscription.
#[derive(Clone, Debug, Default)]
pub struct SubGrant {
    /// What others see of the client in this channel (`chan_info`), on one line.
    pub info: Option<Box<RawValue>>,
    /// What the client gets in the answer, on one line.
    pub data: Option<Box<RawValue>>,
    /// What is otherwise than the namespace has it.
    pub overrides: Overrides,
}

/// Options of a namespace that a token replaces for one subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "named like the options of a namespace")]
pub struct Overrides {
    pub presence: Option<bool>,
    pub join_leave: Option<bool>,
    pub force_push_join_leave: Option<bool>,
    pub force_recovery: Option<bool>,
    pub force_positioning: Option<bool>,
}

/// Whose a topic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicOwner {
    /// The client's tenant's.
    Own,
    /// Another tenant's.
    Other,
    /// That of the tenant of this job, which has to be looked up.
    Job(JobId),
}

impl Identity {
    /// A client of which nothing is known. It may do what the tenant `public` may.
    pub fn anonymous() -> Arc<Self> {
        // All of them share one, since they may be many.
        static ANONYMOUS: LazyLock<Arc<Identity>> =
            LazyLock::new(|| Arc::new(Identity::nobody(Scope::default())));
        Arc::clone(&ANONYMOUS)
    }

    /// An anonymous client that may subscribe and publish to everything (`--insecure`).
    pub(crate) fn unlimited() -> Arc<Self> {
        static UNLIMITED: LazyLock<Arc<Identity>> = LazyLock::new(|| {
            Arc::new(Identity::nobody(Scope {
                channels: vec![Pattern::new("*")],
                publish: vec![Pattern::new("*")],
                ..Scope::default()
            }))
        });
        Arc::clone(&UNLIMITED)
    }

    fn nobody(scope: Scope) -> Self {
        Self {
            user: String::new(),
            tenant: Tenant::public(),
            scope,
            info: None,
            expires_at: None,
            subs: Vec::new(),
        }
    }

    /// Whether nothing is known of who it is.
    pub fn is_anonymous(&self) -> bool {
        self.user.is_empty()
    }

    /// Whether it may submit to this queue and read what is in it.
    pub fn may_use_queue(&self, queue: &QueueName) -> bool {
        let queues = self.scope.queues.as_ref();
        queues.is_none_or(|queues| queues.contains(queue))
    }

    /// Whether it may submit jobs of this kind.
    pub fn may_use_kind(&self, kind: &Kind) -> bool {
        let kinds = self.scope.kinds.as_ref();
        kinds.is_none_or(|kinds| kinds.contains(kind))
    }

    /// Whether a job of this tenant is its own.
    pub fn owns_job(&self, tenant: &Tenant) -> bool {
        self.tenant == *tenant
    }

    /// Whose a topic is: what stands before the first `.` names the tenant, and without one it is `public`.
    pub fn owns_topic(&self, topic: &Topic) -> TopicOwner {
        if let Ok(job) = topic.as_str().parse() {
            return TopicOwner::Job(job);
        }
        let owner = match topic.as_str().split_once('.') {
            Some((tenant, _)) => tenant == self.tenant.as_str(),
            None => self.tenant == Tenant::public(),
        };
        if owner {
            TopicOwner::Own
        } else {
            TopicOwner::Other
        }
    }

    /// The topic that a plain room means for this client; none if there can't be such a room.
    pub fn plain_topic(&self, room: &str) -> Option<Topic> {
        let topic = if self.tenant == Tenant::public() {
            Topic::new(room)
        } else {
            Topic::new(format!("{}.{room}", self.tenant))
        };
        // A room of `public` named like a job, or with a dot, would be somebody else's topic.
        let topic = topic.ok().filter(|_| !room.is_empty())?;
        (self.owns_topic(&topic) == TopicOwner::Own).then_some(topic)
    }

    /// Whether its token lets it subscribe to this channel, as it stands on the wire, whoever it belongs to.
    pub fn may_subscribe(&self, channel: &str) -> bool {
        let mut patterns = self.scope.channels.iter();
        patterns.any(|pattern| pattern.fits(channel))
    }

    /// Whether its token lets it publish to this channel, as it stands on the wire.
    pub fn may_publish(&self, channel: &str) -> bool {
        let mut patterns = self.scope.publish.iter();
        patterns.any(|pattern| pattern.fits(channel))
    }
}

#[cfg(test)]
mod tests {
    use protocol::{JobId, Tenant, Topic};

    use super::{Identity, TopicOwner};

    fn of(tenant: &str) -> Identity {
        Identity {
            tenant: Tenant::new(tenant).unwrap(),
            ..Identity::clone(&Identity::anonymous())
        }
    }

    fn owner(tenant: &str, topic: &str) -> TopicOwner {
        of(tenant).owns_topic(&Topic::new(topic).unwrap())
    }

    #[test]
    fn a_topic_is_the_tenants_before_its_first_dot() {
        for (tenant, topic) in [
            ("public", "lobby"),
            ("public", "public.x"),
            ("alice", "alice.lobby"),
            ("alice", "alice.a.b"),
            ("alice", "alice."),
        ] {
            assert_eq!(owner(tenant, topic), TopicOwner::Own, "{tenant} {topic}");
        }
        for (tenant, topic) in [
            ("public", "alice.lobby"),
            ("public", ".x"),
            ("alice", "lobby"),
            ("alice", "alice"),
            ("alice", "alicex.a"),
            ("alice", "Alice.a"),
            ("alice", "bob.alice.a"),
        ] {
            assert_eq!(owner(tenant, topic), TopicOwner::Other, "{tenant} {topic}");
        }
    }

    #[test]
    fn a_topic_that_is_a_job_has_to_be_looked_up() {
        let id = JobId::from_parts(1_700_000_000_000, 7);
        for tenant in ["public", "alice"] {
            for topic in [id.to_string(), id.to_string().to_lowercase()] {
                assert_eq!(owner(tenant, &topic), TopicOwner::Job(id));
            }
        }
    }

    #[test]
    fn plain_rooms_are_topics_of_the_tenant() {
        let topic = |tenant: &str, room: &str| of(tenant).plain_topic(room).map(String::from);
        assert_eq!(topic("public", "lobby").as_deref(), Some("lobby"));
        assert_eq!(topic("alice", "lobby").as_deref(), Some("alice.lobby"));
        assert_eq!(topic("alice", "bob.x").as_deref(), Some("alice.bob.x"));
        assert_eq!(topic("public", "alice.lobby"), None);
        let id = JobId::from_parts(1, 1).to_string();
        assert_eq!(topic("public", &id), None);
        assert_eq!(topic("alice", &id), Some(format!("alice.{id}")));
        for bad in ["", "a:b", "a b", &"x".repeat(70)] {
            assert_eq!(topic("public", bad), None, "{bad}");
            assert_eq!(topic("alice", bad), None, "{bad}");
        }
    }

    #[test]
    fn no_list_means_all() {
        let mut identity = of("alice");
        let (chat, mail) = ("chat".parse().unwrap(), "mail".parse().unwrap());
        assert!(identity.may_use_queue(&chat) && identity.may_use_queue(&mail));
        identity.scope.queues = Some(vec![chat.clone()]);
        assert!(identity.may_use_queue(&chat) && !identity.may_use_queue(&mail));
        identity.scope.queues = Some(Vec::new());
        assert!(!identity.may_use_queue(&chat));
        identity.scope.kinds = Some(vec!["echo".parse().unwrap()]);
        assert!(identity.may_use_kind(&"echo".parse().unwrap()));
        assert!(!identity.may_use_kind(&"shell".parse().unwrap()));
    }

    #[test]
    fn anonymous_clients_have_no_channels_but_their_tenants() {
        let identity = Identity::anonymous();
        assert!(identity.is_anonymous() && identity.owns_job(&Tenant::public()));
        assert!(!identity.may_subscribe("news:a") && !identity.may_publish("news:a"));
        let unlimited = Identity::unlimited();
        assert!(unlimited.may_subscribe("news:a") && unlimited.may_publish("news:a"));
        assert!(!unlimited.owns_job(&Tenant::new("alice").unwrap()));
    }
}
