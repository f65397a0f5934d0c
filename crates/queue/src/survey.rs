//! All queues at a glance.

use broker::{Counts, Inspector, Totals};
use protocol::QueueName;
use serde::Serialize;

/// The figures of one queue.
#[derive(Clone, Debug, Serialize)]
pub struct QueueStats {
    /// Which queue.
    pub queue: QueueName,
    /// How many jobs it has in each state.
    pub jobs: Counts,
    /// What happened in it since it began.
    pub totals: Totals,
}

/// The figures of all queues, by name.
pub(crate) async fn survey(inspector: &Inspector) -> Result<Vec<QueueStats>, broker::Error> {
    let mut stats = Vec::new();
    for queue in inspector.queues().await? {
        let (jobs, totals) = inspector.counts(&queue).await?;
        stats.push(QueueStats {
            queue,
            jobs,
            totals,
        });
    }
    Ok(stats)
}
