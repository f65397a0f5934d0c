//! Does something to jobs that are named one by one, or hands over to what goes by a filter.

use std::fmt;

use broker::{Control, Done, QueueArgs};
use clap::Args;
use protocol::{JobId, JobState, QueueName};
use serde::Serialize;
use serde_json::json;

use super::{
    bulk::{Manner, bulk},
    job::find,
    selection::Selection,
    verb::Verb,
};
use crate::{console::Console, fault::Fault, output};

/// What became of one of the jobs, or would become of it.
#[derive(Serialize)]
struct Changed {
    id: JobId,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<QueueName>,
    outcome: &'static str,
    /// The state that stood in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<JobState>,
    #[serde(skip)]
    verb: Verb,
    #[serde(skip)]
    dry_run: bool,
    #[serde(skip)]
    done: Done,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, verb) = (self.id, self.verb);
        match (self.done, &self.queue) {
            (Done::Yes, _) if self.dry_run => {
                write!(f, "{id} would be {}; nothing was changed", verb.done())
            }
            (Done::Requested, _) if self.dry_run => write!(
                f,
                "{id} is active: its worker would be told; nothing was changed"
            ),
            (Done::Yes, Some(queue)) if verb == Verb::Retry => {
                write!(f, "{id} waits again in queue {queue}")
            }
            (Done::Yes, _) => write!(f, "{id} is {}", verb.done()),
            (Done::Requested, _) => write!(f, "{id} is active: its worker is told"),
            (Done::Conflict(state), _) => write!(f, "{id} is {state}: {}", verb.rule()),
            _ => Fault::NoJob(id).fmt(f),
        }
    }
}

/// Options of every command that changes jobs.
#[derive(Args, Clone, Debug)]
pub struct ChangeArgs {
    /// Which jobs.
    #[command(flatten)]
    pub select: Selection,
    /// What is kept of jobs that end, and of their logs.
    #[command(
        flatten,
        next_help_heading = "What is kept: as it is set for all processes"
    )]
    pub keep: QueueArgs,
}

pub(super) async fn change(console: &Console, verb: Verb, args: ChangeArgs) -> Result<(), Fault> {
    let ChangeArgs {
        select: selection,
        keep,
    } = args;
    let control = console.control(keep);
    let dry_run = selection.dry_run;
    if selection.ids.is_empty() {
        let filter = selection.filter(verb)?;
        let manner = Manner {
            dry_run,
            json: selection.json,
        };
        return bulk(console, &control, verb, &filter, manner).await;
    }
    let mut changed = Vec::with_capacity(selection.ids.len());
    let mut result = Ok(());
    for id in selection.ids {
        let queue = selection.queue.as_ref();
        let control = (!dry_run).then_some(&control);
        let one = match change_one(console, control, verb, id, queue).await {
            Ok(one) => one,
            // What was done until now is told all the same.
            Err(fault) => {
                result = Err(fault);
                break;
            }
        };
        match one.done {
            Done::Yes | Done::Requested if selection.json => {}
            Done::Yes | Done::Requested => console.out.print(&format!("{one}\n"))?,
            _ => {
                output::complain(&one.to_string());
                result = Err(Fault::Told);
            }
        }
        changed.push(one);
    }
    if selection.json {
        console
            .out
            .json(&json!({ "verb": verb.name(), "dry_run": dry_run, "jobs": changed }))?;
    }
    result
}

/// Does it to one job; without a control it only looks what would come of it.
async fn change_one(
    console: &Console,
    control: Option<&Control>,
    verb: Verb,
    id: JobId,
    queue: Option<&QueueName>,
) -> Result<Changed, Fault> {
    let record = match (control, queue) {
        // The script finds out by itself.
        (Some(_), Some(_)) => None,
        _ => find(console, id, queue).await?,
    };
    let queue = match &record {
        Some(record) => Some(record.queue.clone()),
        None => queue.filter(|_| control.is_some()).cloned(),
    };
    let done = match (control, &queue, record) {
        (Some(control), Some(queue), _) => {
            let done = verb.apply(control, queue, None, &[id]).await;
            let done = done.map_err(|error| console.fault(&error))?;
            done.first().copied().unwrap_or(Done::NotFound)
        }
        (None, _, Some(record)) => match record.state {
            JobState::Active if verb == Verb::Cancel => Done::Requested,
            state if verb.states().contains(&state) => Done::Yes,
            state => Done::Conflict(state),
        },
        _ => Done::NotFound,
    };
    let (outcome, state) = match done {
        Done::Yes => (verb.outcome(), None),
        Done::Requested => ("requested", None),
        Done::Conflict(state) => ("conflict", Some(state)),
        _ => ("not_found", None),
    };
    Ok(Changed {
        id,
        queue,
        outcome,
        state,
        verb,
        dry_run: control.is_none(),
        done,
    })
}
