//! Does something to all jobs that a filter lets through, page by page, and sums up.
//!
//! It holds one page however many jobs there are. Told to stop, or left by Redis, it says what was done until then.

use std::fmt::Write as _;

use broker::{Control, Done};
use protocol::{JobId, JobState, QueueName};
use serde::Serialize;

use super::{selection::Filter, verb::Verb};
use crate::{console::Console, fault::Fault, interrupt::stopped, progress::Progress, sweep::Sweep};

/// How many of the jobs that were left alone are named.
const NAMED: usize = 1_000;

/// What became of the jobs.
#[derive(Debug, Default, Serialize)]
struct Tally {
    /// Those that the filter let through.
    matched: u64,
    done: u64,
    /// Active jobs whose workers were told.
    requested: u64,
    /// Those that had changed or gone before their turn came; the first of them are named.
    skipped: u64,
    jobs: Vec<Skipped>,
}

#[derive(Debug, Serialize)]
struct Skipped {
    id: JobId,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<JobState>,
}

/// A tally as programs get it. Every name is always there.
#[derive(Serialize)]
struct Summary<'a> {
    queue: &'a QueueName,
    verb: &'static str,
    dry_run: bool,
    /// Whether all were gone through.
    finished: bool,
    #[serde(flatten)]
    tally: &'a Tally,
}

/// How a command was asked to go about it.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    pub(super) dry_run: bool,
    pub(super) json: bool,
}

pub(super) async fn bulk(
    console: &Console,
    control: &Control,
    verb: Verb,
    filter: &Filter,
    manner: Manner,
) -> Result<(), Fault> {
    console.expect(&filter.queue, false).await?;
    let mut tally = Tally::default();
    let result = go_through(console, control, verb, filter, manner.dry_run, &mut tally).await;
    if manner.json {
        console.out.json(&Summary {
            queue: &filter.queue,
            verb: verb.name(),
            dry_run: manner.dry_run,
            finished: result.is_ok(),
            tally: &tally,
        })?;
    } else {
        console.out.print(&said(verb, manner.dry_run, &tally))?;
    }
    result
}

async fn go_through(
    console: &Console,
    control: &Control,
    verb: Verb,
    filter: &Filter,
    dry_run: bool,
    tally: &mut Tally,
) -> Result<(), Fault> {
    let fault = |error| console.fault(&error);
    let stop = stopped()?;
    tokio::pin!(stop);
    let now = console.inspector.now().await.map_err(fault)?;
    let sweep = Sweep {
        inspector: console.inspector.clone(),
        control: control.clone(),
        queue: filter.queue.clone(),
        verb,
        states: filter.states.clone(),
        filter: filter.filters.at(now),
        limit: filter.limit.unwrap_or(u64::MAX),
        dry_run,
    };
    let mut sweeping = sweep.begin().await.map_err(fault)?;
    let mut progress = None;
    while let Some(swept) = sweeping.next().await.map_err(fault)? {
        tally.matched = swept.matched;
        for (id, done) in swept.done {
            tally.count(id, done);
        }
        progress
            .get_or_insert_with(|| Progress::new(verb.name(), swept.of))
            .show(swept.looked);
        tokio::select! {
            biased;
            () = &mut stop => return Err(Fault::Stopped),
            () = std::future::ready(()) => {}
        }
    }
    Ok(())
}

impl Tally {
    fn count(&mut self, id: JobId, done: Done) {
        let (outcome, state) = match done {
            Done::Yes => {
                self.done += 1;
                return;
            }
            Done::Requested => {
                self.requested += 1;
                return;
            }
            Done::Conflict(state) => ("conflict", Some(state)),
            _ => ("not_found", None),
        };
        self.skipped += 1;
        if self.jobs.len() < NAMED {
            self.jobs.push(Skipped { id, outcome, state });
        }
    }
}

fn said(verb: Verb, dry_run: bool, tally: &Tally) -> String {
    let jobs = |n: u64| format!("{n} job{}", if n == 1 { "" } else { "s" });
    if dry_run {
        return format!(
            "{} would be {}; nothing was changed\n",
            jobs(tally.matched),
            verb.done()
        );
    }
    let mut text = String::new();
    if tally.done > 0 || tally.requested == 0 {
        let _ = writeln!(text, "{} {}", jobs(tally.done), verb.done());
    }
    if tally.requested > 0 {
        let _ = writeln!(
            text,
            "{} active: their workers are told",
            jobs(tally.requested)
        );
    }
    if tally.skipped > 0 {
        let _ = writeln!(
            text,
            "{} left alone, changed or gone meanwhile",
            jobs(tally.skipped)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use broker::Done;
    use protocol::JobState;

    use super::{NAMED, Tally, Verb, said};

    #[test]
    fn what_was_done_is_summed_up() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let mut tally = Tally::default();
        assert_eq!(said(Verb::Retry, false, &tally), "0 jobs in line again\n");
        tally.count(id, Done::Requested);
        assert_eq!(
            said(Verb::Cancel, false, &tally),
            "1 job active: their workers are told\n"
        );
        tally.count(id, Done::Yes);
        for _ in 0..NAMED + 5 {
            tally.count(id, Done::Conflict(JobState::Active));
        }
        let expected = "\
1 job cancelled
1 job active: their workers are told
1005 jobs left alone, changed or gone meanwhile
";
        assert_eq!(said(Verb::Cancel, false, &tally), expected);
        assert_eq!(tally.jobs.len(), NAMED);
        tally.matched = 7;
        let dry = "7 jobs would be deleted; nothing was changed\n";
        assert_eq!(said(Verb::Delete, true, &tally), dry);
    }
}
