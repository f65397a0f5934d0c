//! What can be followed: a topic of a queue, or a room. Both have a log and a pub/sub channel, of one shape.
//!
//! Only names: a room's name may hold what a topic's may not, and a room's hash tag begins with `@`, which no queue's
//! name does, so that the two never meet.

use std::sync::Arc;

use protocol::{Channel, QueueName};

use crate::{Error, partitions};

/// What can be followed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Feed {
    base: Arc<str>,
    topic: Arc<str>,
}

impl Feed {
    /// A topic of a queue, under a prefix.
    pub fn topic(prefix: &str, channel: &Channel) -> Self {
        Self {
            base: format!("{prefix}{{{}}}:", channel.queue).into(),
            topic: channel.topic.as_str().into(),
        }
    }

    /// A room of a namespace; that without a name is the default one.
    pub fn room(prefix: &str, namespace: &str, name: &str) -> Self {
        Self {
            base: format!("{prefix}{{@{namespace}}}:").into(),
            topic: name.into(),
        }
    }

    /// The queue whose topic it is; none if it is a room.
    pub(crate) fn queue(&self) -> Option<QueueName> {
        let (_, tag) = self.base.split_once('{')?;
        let name = tag.strip_suffix("}:")?;
        QueueName::new(name).ok().filter(|_| !name.starts_with('@'))
    }

    /// The same topic of its queue, in a partition.
    pub(crate) fn at(&self, prefix: &str, queue: &QueueName, index: u16) -> Result<Self, Error> {
        if index == 0 {
            return Ok(self.clone());
        }
        let partition = partitions::named(queue, index)?;
        Ok(Self {
            base: format!("{prefix}{{{partition}}}:").into(),
            topic: Arc::clone(&self.topic),
        })
    }

    /// What all its keys begin with; what scripts get as `KEYS[1]`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The same, shared by all that begin alike only where they were made from one another.
    pub(crate) const fn shared_base(&self) -> &Arc<str> {
        &self.base
    }

    /// What its keys end with.
    pub(crate) fn name(&self) -> &str {
        &self.topic
    }

    /// Its pub/sub channel.
    pub(crate) fn channel(&self) -> String {
        format!("{}ch:{}", self.base, self.topic)
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Channel, QueueName, Topic};

    use super::Feed;

    #[test]
    fn a_room_is_never_a_topic() {
        let channel = Channel {
            queue: QueueName::new("chat").unwrap(),
            topic: Topic::new("lobby").unwrap(),
        };
        let topic = Feed::topic("p", &channel);
        assert_eq!(topic.channel(), "p{chat}:ch:lobby");
        assert_eq!(topic.queue().as_ref(), Some(&channel.queue));
        let second = topic.at("p", &channel.queue, 1).unwrap();
        assert_eq!(second.channel(), "p{chat.1}:ch:lobby");
        assert_eq!(topic.at("p", &channel.queue, 0).unwrap(), topic);
        for namespace in ["chat", ""] {
            assert_eq!(Feed::room("p", namespace, "lobby").queue(), None);
        }
        assert_eq!(
            Feed::room("p", "chat", "lobby").channel(),
            "p{@chat}:ch:lobby"
        );
        assert_eq!(Feed::room("p", "", "#7").channel(), "p{@}:ch:#7");
    }
}
