//! What a channel's name means: a topic of a queue, or a room.
//!
//! Text before the first colon is the namespace. A queue is the namespace of its topics; other namespaces are rooms and
//! have options, named as Centrifugo names them. Decides nothing about who may do what.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use broker::Feed;
use protocol::{Channel, QueueName, Topic, centrifugo::ClientError};
use serde::Deserialize;

/// The longest name of a channel, in bytes.
const MAX_CHANNEL: usize = 255;

/// Options of the rooms of a namespace. Everything is off unless it is switched on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct RoomOptions {
    /// How many publications are kept; 0 for none.
    pub history_size: u32,
    /// How long they are kept after the last one, in seconds; 0 for none.
    pub history_ttl_secs: u64,
    /// Whether is known who is there.
    pub presence: bool,
    /// Whether comings and goings are told to those who ask for it.
    pub join_leave: bool,
    /// Whether they are told to everybody.
    pub force_push_join_leave: bool,
    /// Whether every subscription can recover.
    pub force_recovery: bool,
    /// Whether subscriptions that ask for it can recover.
    pub allow_recovery: bool,
    /// Whether every subscription's position is tracked.
    pub force_positioning: bool,
    /// Whether channels with a `#` belong to the users named behind it.
    pub allow_user_limited_channels: bool,
    /// Who may subscribe: every user.
    pub allow_subscribe_for_client: bool,
    /// Who may subscribe: anonymous clients, where every user may.
    pub allow_subscribe_for_anonymous: bool,
    /// Who may publish: every user.
    pub allow_publish_for_client: bool,
    /// Who may publish: subscribers.
    pub allow_publish_for_subscriber: bool,
    /// Who may publish: anonymous clients, where they would otherwise.
    pub allow_publish_for_anonymous: bool,
    /// Who may see who is there: every user.
    pub allow_presence_for_client: bool,
    /// Who may see who is there: subscribers.
    pub allow_presence_for_subscriber: bool,
    /// Who may see who is there: anonymous clients, where they would otherwise.
    pub allow_presence_for_anonymous: bool,
    /// Who may read the history: every user.
    pub allow_history_for_client: bool,
    /// Who may read the history: subscribers.
    pub allow_history_for_subscriber: bool,
    /// Who may read the history: anonymous clients, where they would otherwise.
    pub allow_history_for_anonymous: bool,
}

impl RoomOptions {
    /// Whether publications are kept at all.
    pub const fn has_history(&self) -> bool {
        self.history_size > 0 && self.history_ttl_secs > 0
    }
}

/// A file of namespaces.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    /// Options of channels without a colon.
    without_namespace: RoomOptions,
    namespaces: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
    #[serde(flatten)]
    options: serde_json::Map<String, serde_json::Value>,
}

/// A file that says nothing that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NamespacesError {
    /// It is no JSON of the right form.
    #[error("the file of namespaces can't be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A name is a queue's, or there twice.
    #[error("the namespace `{0}` is a queue or there twice")]
    Taken(String),
    /// A name can't stand before a colon.
    #[error("`{0}` is no name of a namespace: letters, digits, `_`, `-` and `.` are")]
    Name(String),
}

/// What is served under which name.
#[derive(Debug)]
pub struct Namespaces {
    prefix: String,
    queues: BTreeSet<QueueName>,
    rooms: BTreeMap<String, Arc<RoomOptions>>,
}

/// What a channel's name means.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// Events of jobs.
    Topic(Channel),
    /// Whatever is published there.
    Room(Arc<RoomOptions>),
}

/// A channel as a client names it.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) target: Target,
    pub(crate) feed: Feed,
}

impl Namespaces {
    /// The topics of these queues, and the rooms of a file, if there is one.
    pub fn new(
        prefix: &str,
        queues: impl IntoIterator<Item = QueueName>,
        file: Option<&str>,
    ) -> Result<Self, NamespacesError> {
        let queues: BTreeSet<_> = queues.into_iter().collect();
        // An array would be taken for a struct's fields.
        let file: Option<serde_json::Map<_, _>> = file.map(serde_json::from_str).transpose()?;
        let file = file.map(|file| serde_json::from_value(file.into()));
        let file: File = file.transpose()?.unwrap_or_default();
        let mut rooms = BTreeMap::new();
        rooms.insert(String::new(), Arc::new(file.without_namespace));
        for Named { name, options } in file.namespaces {
            let queue: QueueName = name
                .parse()
                .map_err(|_| NamespacesError::Name(name.clone()))?;
            let options = serde_json::from_value(serde_json::Value::Object(options))?;
            if queues.contains(&queue) || rooms.insert(name.clone(), Arc::new(options)).is_some() {
                return Err(NamespacesError::Taken(name));
            }
        }
        let prefix = prefix.to_owned();
        Ok(Self {
            prefix,
            queues,
            rooms,
        })
    }

    /// The queues that are served.
    pub fn queues(&self) -> impl Iterator<Item = &QueueName> {
        self.queues.iter()
    }

    /// What a name means.
    pub(crate) fn resolve(&self, channel: &str) -> Result<Resolved, ClientError> {
        let printable = channel.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if channel.is_empty() || channel.len() > MAX_CHANNEL || !printable {
            return Err(ClientError::bad_request());
        }
        // A `$` says that a token is compulsory; it is part of the name.
        let bare = channel.strip_prefix('$').unwrap_or(channel);
        let (namespace, rest) = bare.split_once(':').unwrap_or(("", bare));
        // It would be the private room of that name, without its protection.
        if rest.starts_with('$') {
            return Err(ClientError::bad_request());
        }
        if let Some(queue) = self.queues.iter().find(|queue| queue.as_str() == namespace) {
            if bare.len() < channel.len() {
                return Err(ClientError::unknown_channel());
            }
            let topic = Topic::new(rest).map_err(|_| ClientError::bad_request())?;
            let channel = Channel {
                queue: queue.clone(),
                topic,
            };
            let feed = Feed::topic(&self.prefix, &channel);
            let target = Target::Topic(channel);
            return Ok(Resolved { target, feed });
        }
        let options = self.rooms.get(namespace);
        let options = options.ok_or_else(ClientError::unknown_channel)?;
        let private = if bare.len() < channel.len() { "$" } else { "" };
        Ok(Resolved {
            target: Target::Room(Arc::clone(options)),
            feed: Feed::room(&self.prefix, namespace, &format!("{private}{rest}")),
        })
    }
}

/// Whether a channel's name says that a token is needed.
pub(crate) fn is_private(channel: &str) -> bool {
    channel.starts_with('$')
}

/// The users whom a channel's name lists behind its last `#`; none if it lists nobody.
pub(crate) fn users_of(channel: &str) -> Option<impl Iterator<Item = &str>> {
    channel.rsplit_once('#').map(|(_, users)| users.split(','))
}

#[cfg(test)]
mod tests {
    use protocol::QueueName;

    use super::{Namespaces, NamespacesError, Target, users_of};

    fn namespaces(file: &str) -> Result<Namespaces, NamespacesError> {
        Namespaces::new("p", [QueueName::new("chat").unwrap()], Some(file))
    }

    #[test]
    fn names_mean_topics_and_rooms() {
        let served = namespaces(
            r#"{"without_namespace":{"presence":true},"namespaces":[{"name":"room","history_size":5}]}"#,
        )
        .unwrap();
        let room = |name: &str| match served.resolve(name).unwrap().target {
            Target::Room(options) => (options.presence, options.history_size),
            Target::Topic(_) => panic!("{name} is a topic"),
        };
        assert_eq!(room("news"), (true, 0));
        assert_eq!(room("room:a:b"), (false, 5));
        assert_eq!(room("$room:a"), (false, 5));
        let topic = served.resolve("chat:lobby").unwrap();
        assert!(
            matches!(topic.target, Target::Topic(channel) if channel.to_string() == "chat:lobby")
        );
        let code = |name: &str| served.resolve(name).unwrap_err().code;
        assert_eq!(code("other:a"), 102);
        assert_eq!(code("$chat:lobby"), 102);
        for bad in [
            "",
            "room:$a",
            "$room:$a",
            "$$a",
            "chat:",
            "chat:a b",
            "é",
            "a\nb",
            &"x".repeat(256),
        ] {
            assert_eq!(code(bad), 107, "{bad}");
        }
        assert_ne!(
            served.resolve("$room:a").unwrap().feed,
            served.resolve("room:a").unwrap().feed
        );
    }

    #[test]
    fn a_file_that_says_something_wrong_is_refused() {
        for wrong in [
            "[]",
            r#"{"namespaces":[{"name":"chat"}]}"#,
            r#"{"namespaces":[{"name":"a"},{"name":"a"}]}"#,
            r#"{"namespaces":[{"name":"a:b"}]}"#,
            r#"{"namespaces":[{"name":"a","histroy_size":1}]}"#,
            r#"{"without_namespace":{"wrong":1}}"#,
        ] {
            assert!(namespaces(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn users_stand_behind_the_last_number_sign() {
        let users =
            |name: &str| users_of(name).map(|users| users.map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(users("dialog#7,42"), Some(vec!["7".into(), "42".into()]));
        assert_eq!(users("a#b#9"), Some(vec!["9".into()]));
        assert_eq!(users("news"), None);
    }
}
