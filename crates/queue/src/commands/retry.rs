//! `queue retry`: runs failed or cancelled jobs again. The only command that changes anything.

use std::fmt;

use broker::{Control, Done, QueueArgs};
use clap::Args;
use protocol::{JobId, JobState, QueueName};
use serde::Serialize;
use serde_json::json;

use super::job::find;
use crate::{console::Console, fault::Fault, output};

/// Options of `queue retry`.
#[derive(Args, Clone, Debug)]
pub struct RetryArgs {
    /// The jobs
    #[arg(required = true)]
    pub ids: Vec<JobId>,
    /// The queue that they are in; all are searched without
    #[arg(long)]
    pub queue: Option<QueueName>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
    /// Bounds of the event logs that are written to.
    #[command(
        flatten,
        next_help_heading = "What is kept: as it is set for all processes"
    )]
    pub keep: QueueArgs,
}

/// What became of one of the jobs.
#[derive(Serialize)]
struct Retried {
    id: JobId,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<QueueName>,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    Queued,
    NotFound,
    Conflict { state: JobState },
}

impl fmt::Display for Retried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id;
        match (&self.outcome, &self.queue) {
            (Outcome::Queued, Some(queue)) => write!(f, "{id} waits again in queue {queue}"),
            (Outcome::Conflict { state }, _) => {
                write!(
                    f,
                    "{id} is {state}: only failed and cancelled jobs can be retried"
                )
            }
            (Outcome::Queued, None) | (Outcome::NotFound, _) => Fault::NoJob(id).fmt(f),
        }
    }
}

pub(crate) async fn retry(console: &Console, args: RetryArgs) -> Result<(), Fault> {
    let control = Control::new(console.redis.clone(), args.keep);
    let mut retried = Vec::with_capacity(args.ids.len());
    let mut result = Ok(());
    for id in args.ids {
        let one = match retry_one(console, &control, id, args.queue.as_ref()).await {
            Ok(one) => one,
            // What was done until now is told all the same.
            Err(fault) => {
                result = Err(fault);
                break;
            }
        };
        match one.outcome {
            Outcome::Queued if args.json => {}
            Outcome::Queued => console.out.print(&format!("{one}\n"))?,
            _ => {
                output::complain(&one.to_string());
                result = Err(Fault::Told);
            }
        }
        retried.push(one);
    }
    if args.json {
        console.out.json(&json!({ "jobs": retried }))?;
    }
    result
}

async fn retry_one(
    console: &Console,
    control: &Control,
    id: JobId,
    queue: Option<&QueueName>,
) -> Result<Retried, Fault> {
    let queue = match queue {
        Some(queue) => queue.clone(),
        None => match find(console, id, None).await? {
            Some(record) => record.queue,
            None => {
                return Ok(Retried {
                    id,
                    queue: None,
                    outcome: Outcome::NotFound,
                });
            }
        },
    };
    let done = control
        .retry(&queue, &[id])
        .await
        .map_err(|error| console.fault(&error))?;
    let outcome = match done.first() {
        Some(Done::Yes | Done::Requested) => Outcome::Queued,
        Some(Done::Conflict(state)) => Outcome::Conflict { state: *state },
        _ => Outcome::NotFound,
    };
    Ok(Retried {
        id,
        queue: Some(queue),
        outcome,
    })
}
