//! The operations of a round as its script reads them: those that have most in common and follow each other say it once.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use protocol::JobId;

use crate::{
    call::Call,
    failure,
    given::{Completed, Given},
    handle::{Action, Op},
    kept::Kept,
    outcome::Outcome,
};

/// What operations of a group have in common. See `lua/round_new.lua`.
#[derive(PartialEq, Eq)]
struct Header<'a> {
    what: &'static str,
    kind: &'a str,
    tenant: &'a str,
    topic: &'a str,
    attempt: u32,
    /// The name of an event.
    event: &'a str,
}

/// One operation.
enum Row<'a> {
    Completed(&'a Given, Completed<'a>, &'a str),
    /// Of a parcel.
    Part(Kept, &'a str),
    Tell(Option<&'a Given>, Cow<'a, str>),
    Other(Cow<'a, str>, Cow<'a, str>),
}

/// Writes the run of Redis in which what goes the short way was claimed, the ids of all, and the groups.
pub(crate) fn write(call: &mut Call<'_>, ops: &[Op]) {
    let mut given = ops.iter().filter_map(|op| op.given.as_deref());
    let run = given.next().map_or("", |given| &*given.run);
    let mut ended = HashSet::with_capacity(ops.len());
    let mut rows = Vec::with_capacity(ops.len());
    while let Some(op) = ops.get(rows.len()) {
        if let Some(parcel) = parcel(&ops[rows.len()..], run, &ended) {
            ended.extend(ops[rows.len()..][..parcel.len()].iter().map(|op| op.id));
            rows.extend(parcel);
            continue;
        }
        // What comes after the end of an attempt is late, which only the long way sees.
        let is_late = ended.contains(&op.id) || op.ends() && !ended.insert(op.id);
        rows.push(row(op, if is_late { "" } else { run }));
    }
    let groups: Vec<_> = rows.chunk_by(|a, b| a.0 == b.0).collect();
    call.arg(run).arg(ops.len()).arg(groups.len());
    for op in ops {
        call.arg(op.id.to_string());
    }
    for group in groups {
        let header = &group[0].0;
        let kept = group.iter().map(|(_, row)| row.kept()).sum::<u64>();
        call.arg(header.what)
            .arg(group.len())
            .arg(header.kind)
            .arg(header.tenant)
            .arg(header.topic)
            .arg(header.attempt);
        if header.event.is_empty() {
            call.arg(kept);
        } else {
            call.arg(header.event);
        }
        for (_, row) in group {
            row.write(call);
        }
    }
}

impl Row<'_> {
    const fn kept(&self) -> u64 {
        match self {
            Self::Completed(_, completed, _) => completed.kept.bytes(),
            Self::Part(kept, _) => kept.bytes(),
            _ => 0,
        }
    }

    fn write(&self, call: &mut Call<'_>) {
        match self {
            Self::Completed(given, completed, result) => {
                call.arg(&given.front)
                    .arg(completed.front)
                    .arg(&completed.before)
                    .arg(result)
                    .arg(completed.kept.fraction())
                    .arg(&given.epoch);
                if let Some(after) = &completed.after {
                    call.arg(after);
                }
            }
            Self::Part(_, result) => {
                call.arg(*result);
            }
            Self::Tell(given, data) => {
                // No job's front is empty, so that without one it goes the long way.
                call.arg(given.map_or("", |given| &given.front))
                    .arg(given.map_or("", |given| &given.epoch))
                    .arg(&**data);
            }
            Self::Other(a, b) => {
                call.arg(&**a).arg(&**b);
            }
        }
    }
}

/// The rows of a parcel, if the operations begin with the ends of all its jobs, in its order.
fn parcel<'a>(
    ops: &'a [Op],
    run: &str,
    ended: &HashSet<JobId>,
) -> Option<Vec<(Header<'a>, Row<'a>)>> {
    let taken = &ops.first()?.given.as_ref()?.part.as_ref()?.parcel;
    let ops = ops.get(..taken.size)?;
    let rows = ops.iter().enumerate().map(|(index, op)| {
        let given = op.given.as_deref().filter(|given| *given.run == *run)?;
        let part = given.part.as_ref()?;
        let is_next = Arc::ptr_eq(&part.parcel, taken) && part.index == index;
        let Action::End(Outcome::Complete(result)) = &op.action else {
            return None;
        };
        let row = Row::Part(given.kept_in_parcel(result.get())?, result.get());
        let header = Header {
            what: "parcel",
            kind: &taken.name,
            tenant: &given.tenant,
            topic: &given.topic,
            attempt: op.attempt,
            event: "",
        };
        (is_next && !ended.contains(&op.id)).then_some((header, row))
    });
    rows.collect()
}

fn row<'a>(op: &'a Op, run: &str) -> (Header<'a>, Row<'a>) {
    let given = op.given.as_deref().filter(|given| *given.run == *run);
    let header = |what, given: Option<&'a Given>| Header {
        what,
        kind: given.map_or("", |given| &given.kind),
        tenant: given.map_or("", |given| &given.tenant),
        topic: given.map_or("", |given| &given.topic),
        attempt: op.attempt,
        event: "",
    };
    match &op.action {
        Action::Emit(event, data) => {
            let given = given.filter(|given| given.tells(data));
            let header = Header {
                event: event.as_str(),
                ..header("tell", given)
            };
            (header, Row::Tell(given, one_line(data.get())))
        }
        Action::End(outcome) => {
            if let (Outcome::Complete(result), Some(given)) = (outcome, given)
                && let Some(completed) = given.completed(result)
            {
                let what = if completed.after.is_some() {
                    "told"
                } else {
                    "given"
                };
                return (
                    header(what, Some(given)),
                    Row::Completed(given, completed, result.get()),
                );
            }
            let (name, a, b) = end(outcome);
            (header(name, None), Row::Other(a, b))
        }
    }
}

/// The name of an outcome in the script, and its two arguments.
fn end(outcome: &Outcome) -> (&'static str, Cow<'_, str>, Cow<'_, str>) {
    match outcome {
        Outcome::Complete(value) => ("complete", value.get().into(), "".into()),
        Outcome::Retry(failure, pause) => (
            "retry",
            failure::write(failure).into(),
            pause.as_millis().to_string().into(),
        ),
        Outcome::Fail(failure) => ("fail", failure::write(failure).into(), "".into()),
        Outcome::HandBack => ("back", "".into(), "".into()),
        Outcome::Cancel => ("cancel", "".into(), "".into()),
    }
}

/// JSON without line breaks, which are only space in it: events are told one a line.
pub(crate) fn one_line(json: &str) -> Cow<'_, str> {
    if json.contains('\n') {
        json.replace('\n', " ").into()
    } else {
        json.into()
    }
}
