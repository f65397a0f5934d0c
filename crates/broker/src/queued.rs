//! What a worker's driver has to tell Redis, until a round takes it.

use std::collections::HashSet;

use protocol::JobId;

use crate::{gathering::Gathering, handle::Op};

/// How many operations, and after how many bytes no further one, go in one round.
const MAX_OPS: usize = 256;
const MAX_OP_BYTES: usize = 1024 * 1024;
/// What waits for its round. Operations of one attempt reach Redis in the order in which they were made: while one is
/// under way, the next waits.
#[derive(Default)]
pub(crate) struct Queued {
    pub(crate) next: Vec<Op>,
    later: Vec<Op>,
    /// What waits for the rest of its parcel before it is one of these.
    pub(crate) gathering: Gathering,
    /// Of the first two.
    bytes: usize,
    /// The jobs of `later`, and of what is under way.
    held: HashSet<JobId>,
    in_flight: HashSet<JobId>,
}

impl Queued {
    pub(crate) fn push(&mut self, op: Op) {
        if Gathering::is_for(&op) {
            let ready = self.gathering.take_in(op);
            self.add(ready);
        } else {
            self.bytes += op.bytes();
            self.put(op);
        }
    }

    fn add(&mut self, ready: Vec<Op>) {
        for op in ready {
            self.bytes += op.bytes();
            self.put(op);
        }
    }

    /// Takes in what has waited for its parcel long enough, or all of it.
    pub(crate) fn ripen(&mut self, all: bool) {
        let ready = if all {
            self.gathering.give_up_all()
        } else {
            self.gathering.overdue()
        };
        self.add(ready);
    }

    fn put(&mut self, op: Op) {
        if self.held.contains(&op.id) || self.in_flight.contains(&op.id) {
            self.held.insert(op.id);
            self.later.push(op);
        } else {
            self.next.push(op);
        }
    }

    /// How many operations fit in a round: who stops may have more to hand back. A parcel is not cut.
    fn fitting(&self) -> usize {
        let mut bytes = 0;
        let fit = |op: &&Op| {
            let fits = bytes < MAX_OP_BYTES;
            bytes += op.bytes();
            fits
        };
        let fit = self.next.iter().take(MAX_OPS).take_while(fit).count();
        let cut = self.next.get(fit).and_then(Op::part);
        let cut = cut.filter(|part| !part.parcel.is_broken());
        cut.and_then(|part| fit.checked_sub(part.index))
            .filter(|whole| *whole > 0)
            .unwrap_or(fit)
    }

    /// How many of these end their attempts.
    pub(crate) fn ending(&self) -> usize {
        let next = &self.next[..self.fitting()];
        next.iter().filter(|op| op.ends()).count()
    }

    /// Whether more may collect.
    pub(crate) const fn has_room(&self) -> bool {
        self.next.len() + self.later.len() < MAX_OPS && self.bytes < MAX_OP_BYTES
    }

    /// Whether what there is makes a round whatever else comes.
    pub(crate) const fn is_heavy(&self) -> bool {
        self.bytes >= MAX_OP_BYTES
    }

    /// What goes now.
    pub(crate) fn take(&mut self) -> Vec<Op> {
        let rest = self.next.split_off(self.fitting());
        let mut ops = std::mem::replace(&mut self.next, rest);
        // What has to take a parcel apart goes alone, so that the others go the short way.
        let has_to_unfold = |op: &Op| op.part().is_some_and(|part| part.parcel.has_to_unfold());
        if ops.iter().any(has_to_unfold) {
            let (first, mut others): (Vec<_>, Vec<_>) = ops.into_iter().partition(has_to_unfold);
            others.append(&mut self.next);
            (ops, self.next) = (first, others);
        }
        self.bytes -= ops.iter().map(Op::bytes).sum::<usize>();
        self.in_flight.extend(ops.iter().map(|op| op.id));
        ops
    }

    /// These are not under way any more.
    pub(crate) fn landed(&mut self, ids: &[JobId]) {
        for id in ids {
            self.in_flight.remove(id);
        }
        self.held.clear();
        for op in std::mem::take(&mut self.later) {
            self.put(op);
        }
    }
}
