//! One look at Redis: everything that a picture needs, and no more jobs than a screen has lines. Changes nothing.

use std::time::Instant;

use broker::{Browse, Inspector, JobFilter, WorkerStatus};
use protocol::{JobRecord, JobState, QueueName};

use crate::{QueueStats, survey::survey, text::age};

/// How many jobs of a state are read.
const JOBS: usize = 50;

/// What one look saw.
#[derive(Debug)]
pub(super) struct Seen {
    /// When, by this process' clock and by the machine's.
    pub(super) at: Instant,
    pub(super) at_ms: u64,
    pub(super) queues: Vec<Depth>,
    pub(super) workers: Vec<Member>,
    pub(super) jobs: Option<Jobs>,
}

/// A queue.
#[derive(Debug)]
pub(super) struct Depth {
    pub(super) stats: QueueStats,
    pub(super) paused: bool,
}

/// A worker, and whose.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) queue: QueueName,
    pub(super) status: WorkerStatus,
}

/// The jobs of one queue that a person asks about first.
#[derive(Debug)]
pub(super) struct Jobs {
    pub(super) queue: QueueName,
    /// Those that run, from the one that does for the longest.
    pub(super) active: Vec<JobRecord>,
    /// Those that failed, the newest first.
    pub(super) failed: Vec<JobRecord>,
}

/// Looks at all queues and workers, and at the jobs of one queue, which is the first unless another is wanted.
pub(super) async fn look(
    inspector: &Inspector,
    wanted: Option<QueueName>,
) -> Result<Seen, broker::Error> {
    let mut queues = Vec::new();
    let mut workers = Vec::new();
    for stats in survey(inspector).await? {
        let queue = &stats.queue;
        let paused = inspector.settings(queue).await?.paused;
        let of_queue = inspector.workers(queue).await?;
        workers.extend(of_queue.into_iter().map(|status| Member {
            queue: queue.clone(),
            status,
        }));
        queues.push(Depth { stats, paused });
    }
    // Those that are alive first.
    workers.sort_by_key(|member| !member.status.alive);
    let names = || queues.iter().map(|depth| &depth.stats.queue);
    let wanted = wanted.filter(|wanted| names().any(|name| name == wanted));
    let jobs = match wanted.or_else(|| names().next().cloned()) {
        Some(queue) => Some(jobs(inspector, queue).await?),
        None => None,
    };
    Ok(Seen {
        at: Instant::now(),
        at_ms: age::now_ms(),
        queues,
        workers,
        jobs,
    })
}

async fn jobs(inspector: &Inspector, queue: QueueName) -> Result<Jobs, broker::Error> {
    let filter = JobFilter::default();
    let list = async |state| {
        let browse = Browse {
            queue: &queue,
            states: &[state],
            filter: &filter,
            limit: JOBS,
        };
        // A list from its beginning has no place that could be wrong.
        let page = inspector.browse(&browse, None).await?;
        Ok::<_, broker::Error>(page.map(|page| page.jobs).unwrap_or_default())
    };
    let mut active = list(JobState::Active).await?;
    active.sort_by_key(|job| (job.started_at, job.id));
    let failed = list(JobState::Failed).await?;
    Ok(Jobs {
        queue,
        active,
        failed,
    })
}
