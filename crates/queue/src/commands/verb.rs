//! What `retry`, `cancel` and `delete` do to a job, and which jobs they are for.

use broker::{Control, Done};
use protocol::{JobId, JobState, QueueName};

use JobState::{Active, Cancelled, Completed, Delayed, Failed, Waiting};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Retry,
    Cancel,
    Delete,
    /// Puts delayed jobs in line.
    RunNow,
    /// Cancels what waits, and nothing that runs.
    Drain,
}

impl Verb {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
            Self::RunNow => "run-now",
            Self::Drain => "drain",
        }
    }

    /// What was done to a job, for people.
    pub(crate) const fn done(self) -> &'static str {
        match self {
            Self::Retry => "in line again",
            Self::RunNow => "in line",
            Self::Cancel | Self::Drain => "cancelled",
            Self::Delete => "deleted",
        }
    }

    /// The same for programs.
    pub(crate) const fn outcome(self) -> &'static str {
        match self {
            Self::Retry | Self::RunNow => "queued",
            Self::Cancel | Self::Drain => "cancelled",
            Self::Delete => "deleted",
        }
    }

    /// The states that a filter may name, in the order in which jobs go through them, so that one that goes on is met.
    pub(crate) const fn states(self) -> &'static [JobState] {
        match self {
            Self::Retry => &[Failed, Cancelled],
            Self::Cancel => &[Delayed, Waiting, Active],
            Self::Delete => &[Delayed, Waiting, Completed, Failed, Cancelled],
            Self::RunNow => &[Delayed],
            Self::Drain => &[Delayed, Waiting],
        }
    }

    /// Why a job in another state is left alone.
    pub(crate) const fn rule(self) -> &'static str {
        match self {
            Self::Retry => "only failed and cancelled jobs can be retried",
            Self::Cancel | Self::Drain => "only waiting, delayed and active jobs can be cancelled",
            Self::RunNow => "only delayed jobs can be run now",
            Self::Delete => "active jobs can't be deleted: cancel it first",
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
            Self::RunNow => control.run_now(queue, ids).await,
            // A job that was taken meanwhile is not one of those that were asked for.
            Self::Cancel | Self::Drain if matches!(state, Some(Waiting | Delayed)) => {
                control.withdraw(queue, ids).await
            }
            Self::Cancel | Self::Drain => control.cancel(queue, ids, None).await,
            Self::Delete => match state {
                Some(state) => control.delete_in(queue, state, ids).await,
                None => control.delete(queue, ids).await,
            },
        }
    }
}
