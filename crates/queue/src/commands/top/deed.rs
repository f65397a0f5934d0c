//! What a key may change, after it was confirmed.

use broker::{Done, QueueArgs};
use protocol::{JobId, QueueName};

use super::super::verb::Verb;
use crate::{console::Console, fault::Fault};

/// Something to do to a queue or a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Pause(QueueName),
    Resume(QueueName),
    Retry(QueueName, JobId),
}

impl Deed {
    /// What is asked before it is done.
    pub(super) fn question(&self) -> String {
        match self {
            Self::Pause(queue) => format!("Pause {queue}? Jobs are taken, and none is run."),
            Self::Resume(queue) => format!("Resume {queue}? Its jobs run again."),
            Self::Retry(_, id) => format!("Run {id} again, with all its attempts?"),
        }
    }

    /// Does it, and says what came of it.
    pub(super) async fn done(self, console: &Console, keep: QueueArgs) -> Result<String, Fault> {
        let control = console.control(keep);
        let fault = |error| console.fault(&error);
        match self {
            Self::Pause(queue) => {
                control.pause(&queue, true).await.map_err(fault)?;
                Ok(format!("{queue} is paused"))
            }
            Self::Resume(queue) => {
                control.pause(&queue, false).await.map_err(fault)?;
                Ok(format!("{queue} runs again"))
            }
            Self::Retry(queue, id) => {
                let done = control.retry(&queue, &[id]).await.map_err(fault)?;
                match done.first() {
                    Some(Done::Yes | Done::Requested) => Ok(format!("{id} waits again")),
                    Some(Done::Conflict(state)) => {
                        Ok(format!("{id} is {state}: {}", Verb::Retry.rule()))
                    }
                    _ => Err(Fault::NoJob(id)),
                }
            }
        }
    }
}
