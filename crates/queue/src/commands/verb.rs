//! What `retry`, `cancel`, `delete`, `run-now` and `priority` do to a job, and which jobs they are for.

use broker::{Control, Done};
use protocol::{JobId, JobRecord, JobState, Priority, QueueName};

use JobState::{Active, Cancelled, Completed, Delayed, Failed, Waiting};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Retry,
    Cancel,
    Delete,
    /// Cancels what waits, and nothing that runs.
    Drain,
    /// Puts delayed jobs in line.
    RunNow,
    /// Moves jobs to another line.
    Priority(Priority),
}

impl Verb {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
            Self::Drain => "drain",
            Self::RunNow => "run-now",
            Self::Priority(_) => "priority",
        }
    }

    /// What was done to a job, for people.
    pub(crate) const fn done(self) -> &'static str {
        match self {
            Self::Retry => "in line again",
            Self::Cancel | Self::Drain => "cancelled",
            Self::Delete => "deleted",
            Self::RunNow => "in line",
            Self::Priority(Priority::High) => "moved to high priority",
            Self::Priority(Priority::Normal) => "moved to normal priority",
            Self::Priority(Priority::Low) => "moved to low priority",
        }
    }

    /// The same for programs.
    pub(crate) const fn outcome(self) -> &'static str {
        match self {
            Self::Retry | Self::RunNow => "queued",
            Self::Cancel | Self::Drain => "cancelled",
            Self::Delete => "deleted",
            Self::Priority(_) => "moved",
        }
    }

    /// The states that a filter may name, in the order in which jobs go through them, so that one that goes on is met.
    pub(crate) const fn states(self) -> &'static [JobState] {
        match self {
            Self::Retry => &[Failed, Cancelled],
            Self::Cancel => &[Delayed, Waiting, Active],
            Self::Delete => &[Delayed, Waiting, Completed, Failed, Cancelled],
            Self::Drain | Self::Priority(_) => &[Delayed, Waiting],
            Self::RunNow => &[Delayed],
        }
    }

    /// The states that are meant where a filter names none; nothing where it must.
    pub(crate) const fn usual(self) -> &'static [JobState] {
        match self {
            Self::Retry => &[Failed],
            Self::RunNow | Self::Priority(_) => self.states(),
            Self::Cancel | Self::Delete | Self::Drain => &[],
        }
    }

    /// Whether a job is already what this would make it: one that was moved is met again in its new line.
    pub(crate) fn is_vain(self, job: &JobRecord) -> bool {
        matches!(self, Self::Priority(priority) if priority == job.priority)
    }

    /// Why a job in another state is left alone.
    pub(crate) const fn rule(self) -> &'static str {
        match self {
            Self::Retry => "only failed and cancelled jobs can be retried",
            Self::Cancel | Self::Drain => "only waiting, delayed and active jobs can be cancelled",
            Self::Delete => "active jobs can't be deleted: cancel it first",
            Self::RunNow => "only delayed jobs can be run now",
            Self::Priority(_) => "only waiting and delayed jobs can change their priority",
        }
    }

    /// Does it to jobs that were in a state when they were looked at, or to those of any state.
    pub(crate) async fn apply(
        self,
        control: &Control,
        queue: &QueueName,
        state: Option<JobState>,
        ids: &[JobId],
    ) -> Result<Vec<Done>, broker::Error> {
        match self {
            Self::Retry => control.retry(queue, ids).await,
            // A job that was taken meanwhile is not one of those that were asked for.
            Self::Cancel | Self::Drain if matches!(state, Some(Waiting | Delayed)) => {
                control.withdraw(queue, ids).await
            }
            Self::Cancel | Self::Drain => control.cancel(queue, ids, None).await,
            Self::RunNow => control.run_now(queue, ids).await,
            Self::Priority(priority) => control.set_priority(queue, ids, priority).await,
            Self::Delete => match state {
                Some(state) => control.delete_in(queue, state, ids).await,
                None => control.delete(queue, ids).await,
            },
        }
    }
}
