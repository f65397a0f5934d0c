//! The ends of the jobs of a parcel, until there are all: then they are written as one.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    handle::{Action, Op},
    outcome::Outcome,
    taken::Taken,
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
    /// Whether an operation may have to wait for others.
    pub(crate) fn is_for(op: &Op) -> bool {
        op.part().is_some_and(|part| !part.parcel.is_broken())
    }

    /// Takes an operation in; gives those that wait no longer, those of a parcel in its order.
    pub(crate) fn take_in(&mut self, op: Op) -> Vec<Op> {
        let Some(parcel) = op.part().map(|part| Arc::clone(&part.parcel)) else {
            return vec![op];
        };
        if parcel.is_broken() {
            return vec![op];
        }
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
        ops.sort_unstable_by_key(|op| op.part().map(|part| part.index));
        ops
    }
}

fn is_completed(op: &Op) -> bool {
    let Action::End(Outcome::Complete(result)) = &op.action else {
        return false;
    };
    let given = op.given.as_ref();
    given.is_some_and(|given| given.kept_in_parcel(result.get()).is_some())
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use protocol::{EventType, Failure, FailureCode, JobId};
    use serde_json::value::RawValue;
    use tokio::time::Instant;

    use super::{Gathering, MAX_BYTES};
    use crate::{
        given::Given,
        handle::{Action, Op},
        outcome::Outcome,
        stored::Stored,
        taken::{Part, Taken},
    };

    fn parcel(size: usize) -> Arc<Taken> {
        Arc::new(Taken::new("@".to_owned(), size))
    }

    fn id(n: usize) -> JobId {
        JobId::from_parts(1, n as u128)
    }

    /// What becomes of the job at a place in a parcel, or of one in none.
    fn op(parcel: Option<&Arc<Taken>>, index: usize, action: Action) -> Op {
        let record =
            b"active 1 0 worker=w started=1 place=1;1700000000000 a1b2c3 oif1 test 5 1 public =\n1";
        let run = "a1b2c3d4e5f6".into();
        let mut given = Given::of(&Stored::read(record).unwrap(), &run).unwrap();
        given.part = parcel.map(|parcel| Part {
            parcel: Arc::clone(parcel),
            index,
        });
        Op {
            id: id(index),
            attempt: 1,
            action,
            given: Some(Arc::new(given)),
            done: None,
        }
    }

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn done(parcel: &Arc<Taken>, index: usize) -> Op {
        let result = Outcome::Complete(raw("1"));
        op(Some(parcel), index, Action::End(result))
    }

    fn failed() -> Action {
        Action::End(Outcome::Fail(Failure::new(FailureCode::Error, "no")))
    }

    fn take_in(gathering: &mut Gathering, op: Op) -> Vec<JobId> {
        ids(&gathering.take_in(op))
    }

    fn ids(ops: &[Op]) -> Vec<JobId> {
        ops.iter().map(|op| op.id).collect()
    }

    fn is_empty(gathering: &Gathering) -> bool {
        gathering.until().is_none() && gathering.bytes == 0
    }

    #[test]
    fn a_whole_parcel_comes_out_in_its_order() {
        let (mut gathering, one, other) = (Gathering::default(), parcel(4), parcel(2));
        for index in [2, 0, 3] {
            assert_eq!(take_in(&mut gathering, done(&one, index)), []);
        }
        assert_eq!(take_in(&mut gathering, done(&other, 1)), []);
        let whole = take_in(&mut gathering, done(&one, 1));
        assert_eq!(whole, [0, 1, 2, 3].map(id));
        let whole = take_in(&mut gathering, done(&other, 0));
        assert_eq!(whole, [0, 1].map(id));
        assert!(!one.is_broken() && !other.is_broken());
        assert!(is_empty(&gathering));
    }

    #[test]
    fn what_is_no_completion_breaks_it_up() {
        let told = Action::Emit(EventType::Chunk, raw("1"));
        let lines = Action::End(Outcome::Complete(raw("[\n1]")));
        for action in [failed(), told, lines] {
            let (mut gathering, parcel) = (Gathering::default(), parcel(4));
            for index in [2, 0] {
                assert_eq!(take_in(&mut gathering, done(&parcel, index)), []);
            }
            let all = take_in(&mut gathering, op(Some(&parcel), 1, action));
            assert_eq!(all, [0, 2, 1].map(id));
            assert!(parcel.is_broken() && is_empty(&gathering));
            // One that comes later waits for nobody.
            assert_eq!(take_in(&mut gathering, done(&parcel, 3)), [id(3)]);
        }
    }

    #[test]
    fn what_has_waited_for_too_long_comes_out() {
        let (mut gathering, late, early) = (Gathering::default(), parcel(4), parcel(4));
        for parcel in [&late, &early] {
            for index in [3, 1] {
                assert_eq!(take_in(&mut gathering, done(parcel, index)), []);
            }
        }
        let now = Instant::now();
        for ends in gathering.parcels.values_mut() {
            let is_late = Arc::ptr_eq(&ends.parcel, &late);
            ends.until = now + Duration::from_secs(if is_late { 0 } else { 60 });
        }
        assert_eq!(gathering.until(), Some(now));
        assert_eq!(ids(&gathering.overdue()), [1, 3].map(id));
        assert_eq!(take_in(&mut gathering, done(&late, 0)), [id(0)]);
        assert!(late.is_broken() && !early.is_broken());
        assert!(gathering.overdue().is_empty());
        assert_eq!(ids(&gathering.give_up_all()), [1, 3].map(id));
        assert!(early.is_broken() && is_empty(&gathering));
    }

    #[test]
    fn what_is_much_does_not_wait() {
        let (mut gathering, parcel) = (Gathering::default(), parcel(MAX_BYTES));
        let long = raw(&format!("\"{}\"", "x".repeat(1_500)));
        let mut index = 0;
        let out = loop {
            let end = Action::End(Outcome::Complete(long.clone()));
            let out = take_in(&mut gathering, op(Some(&parcel), index, end));
            index += 1;
            if !out.is_empty() {
                break out;
            }
        };
        assert_eq!(out.len(), index);
        assert!(index * 1_502 > MAX_BYTES && (index - 1) * 1_502 <= MAX_BYTES);
        assert!(parcel.is_broken() && is_empty(&gathering));
    }

    #[test]
    fn what_is_of_no_parcel_passes() {
        let (mut gathering, parcel) = (Gathering::default(), parcel(4));
        assert_eq!(take_in(&mut gathering, done(&parcel, 0)), []);
        for action in [failed(), Action::End(Outcome::Complete(raw("1")))] {
            assert_eq!(take_in(&mut gathering, op(None, 7, action)), [id(7)]);
        }
        assert_eq!(take_in(&mut gathering, Op::hand_back(id(8), 1)), [id(8)]);
        assert!(!parcel.is_broken());
        assert_eq!(ids(&gathering.give_up_all()), [id(0)]);
    }
}
