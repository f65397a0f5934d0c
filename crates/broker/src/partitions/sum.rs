//! What the partitions of a queue have together.

use std::ops::AddAssign;

use protocol::QueueName;

use super::named;
use crate::{Counts, Error, Inspector, Totals};

impl Inspector {
    /// The partitions of a queue, by which each can be looked at on its own: the queue itself where it is not split.
    pub async fn partitions(&self, queue: &QueueName) -> Result<Vec<QueueName>, Error> {
        let placement = self.redis().placement(queue).await?;
        let names = (0..placement.held()).map(|index| named(queue, index));
        names.collect()
    }

    /// The counts of all partitions of a queue together; see [`Self::counts`].
    pub async fn sum(&self, queue: &QueueName) -> Result<(Counts, Totals), Error> {
        let (mut counts, mut totals) = (Counts::default(), Totals::default());
        for partition in self.partitions(queue).await? {
            let (more, happened) = self.counts(&partition).await?;
            counts += more;
            totals += happened;
        }
        Ok((counts, totals))
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        let Self {
            waiting,
            delayed,
            active,
            completed,
            failed,
            cancelled,
        } = more;
        self.waiting += waiting;
        self.delayed += delayed;
        self.active += active;
        self.completed += completed;
        self.failed += failed;
        self.cancelled += cancelled;
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, more: Self) {
        let Self {
            enqueued,
            completed,
            failed,
            cancelled,
            expired,
            retried,
            lost,
            handed_back,
            refused,
            rerun,
            deleted,
            stale,
        } = more;
        self.enqueued += enqueued;
        self.completed += completed;
        self.failed += failed;
        self.cancelled += cancelled;
        self.expired += expired;
        self.retried += retried;
        self.lost += lost;
        self.handed_back += handed_back;
        self.refused += refused;
        self.rerun += rerun;
        self.deleted += deleted;
        self.stale += stale;
    }
}
