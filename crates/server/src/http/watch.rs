//! Following one job's channel for one request.

use std::{collections::VecDeque, sync::Arc};

use broker::Feed;
use protocol::{Channel, Event, JobId, JobRecord};

use super::{Api, Problem};
use crate::{
    channels::Subscription,
    tail::{Item, Tail},
};

/// A job's channel, followed until this is dropped.
pub(super) struct Watch {
    pub(super) feed: Feed,
    subscription: Subscription,
    tail: Arc<Tail>,
}

impl Api {
    /// Begins to follow a job's channel, as connection `id`.
    pub(super) fn watch(&self, job: &JobRecord, id: u64) -> Watch {
        let channel = Channel {
            queue: job.queue.clone(),
            topic: job.topic.clone(),
        };
        let feed = Feed::topic(self.shared.redis.prefix(), &channel);
        let tail = Arc::<Tail>::default();
        let name = channel.to_string();
        let subscription = self.shared.channels.watch(&feed, &name, id, &tail);
        Watch {
            feed,
            subscription,
            tail,
        }
    }
}

impl Watch {
    /// Waits until nothing that happens from here on can be missed.
    pub(super) async fn ready(&self) -> Result<(), Problem> {
        let ready = self.subscription.ready().await;
        ready.map_err(|_| Problem::busy("Redis is away: try again later"))?;
        Ok(())
    }

    /// The next events of the channel. None: the log alone has them.
    pub(super) async fn next(&self) -> Option<VecDeque<Arc<Item>>> {
        self.tail.next().await
    }

    /// Waits until a job may be over.
    pub(super) async fn may_be_over(&self, job: JobId) {
        while let Some(items) = self.next().await {
            let mut events = items.iter().filter_map(|item| read(&item.event));
            if events.any(|event| event.job == job && event.event.is_terminal()) {
                return;
            }
        }
    }
}

/// Reads an event; none if it is not one, which nobody but an operator could have written.
pub(super) fn read(json: &str) -> Option<Event<'_>> {
    serde_json::from_str(json).ok()
}
