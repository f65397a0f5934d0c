//! The ends of the jobs of a parcel, until there are all: then they are written as one.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    handle::{Action, Op},
    outcome::Outcome,
    taken::{Part, Taken},
};

/// How long what has ended waits for the rest of its parcel. Jobs that take longer go each by itself.
const PATIENCE: Duration = Duration::from_millis(1);
/// After so many bytes nothing waits any more.
const MAX_BYTES: usize = 1024 * 1024;

/// What waits for others, by where the parcel is.
#[derive(Default)]
pub(crate) struct Gathering {
    parcels: HashMap<usize, Ends>,
    bytes: usize,
}

/// Of one parcel those that have ended.
struct Ends {
    parcel: Arc<Taken>,
    ops: Vec<Op>,
    until: Instant,
}

impl Gathering {
    /// Takes an operation in; gives those that wait no longer, those of a parcel in its order.
    pub(crate) fn take_in(&mut self, op: Op) -> Vec<Op> {
        let Some(Part { parcel, .. }) = part(&op) else {
            return vec![op];
        };
        if parcel.is_broken() {
            return vec![op];
        }
        let parcel = Arc::clone(parcel);
        let at = Arc::as_ptr(&parcel) as usize;
        if !is_completed(&op) {
            parcel.break_up();
            let mut ready = self.give_up(at);
            ready.push(op);
            return ready;
        }
        self.bytes += op.bytes();
        let ends = self.parcels.entry(at).or_insert_with(|| Ends {
            ops: Vec::with_capacity(parcel.size),
            until: Instant::now() + PATIENCE,
            parcel,
        });
        ends.ops.push(op);
        if ends.ops.len() == ends.parcel.size {
            return self.give_up(at);
        }
        if self.bytes > MAX_BYTES {
            return self.give_up_all();
        }
        Vec::new()
    }

    /// Until when the first of them waits.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.parcels.values().map(|ends| ends.until).min()
    }

    /// Those that have waited for long enough.
    pub(crate) fn overdue(&mut self) -> Vec<Op> {
        if self.parcels.is_empty() {
            return Vec::new();
        }
        let now = Instant::now();
        let late = self.parcels.iter().filter(|(_, ends)| ends.until <= now);
        let late: Vec<_> = late.map(|(at, _)| *at).collect();
        late.into_iter().flat_map(|at| self.give_up(at)).collect()
    }

    /// All that wait.
    pub(crate) fn give_up_all(&mut self) -> Vec<Op> {
        let all: Vec<_> = self.parcels.keys().copied().collect();
        all.into_iter().flat_map(|at| self.give_up(at)).collect()
    }

    fn give_up(&mut self, at: usize) -> Vec<Op> {
        let Some(Ends {
            parcel, mut ops, ..
        }) = self.parcels.remove(&at)
        else {
            return Vec::new();
        };
        self.bytes -= ops.iter().map(Op::bytes).sum::<usize>();
        if ops.len() < parcel.size {
            parcel.break_up();
        }
        ops.sort_unstable_by_key(|op| part(op).map(|part| part.index));
        ops
    }
}

fn part(op: &Op) -> Option<&Part> {
    op.given.as_ref()?.part.as_ref()
}

fn is_completed(op: &Op) -> bool {
    let Action::End(Outcome::Complete(result)) = &op.action else {
        return false;
    };
    let given = op.given.as_ref();
    given.is_some_and(|given| given.kept(result.get()).is_some())
}
