//! Who is connected, and how a frame reaches all of them.
//!
//! Delivering never waits for anybody: see [`crate::outbox`]. Never looks into a frame and knows no protocol.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    Frame, Metrics, Outbox,
    outbox::{Limits, Pushed, Signal},
};

/// All connections that get what is broadcast.
#[derive(Debug)]
pub struct Hub {
    limits: Limits,
    metrics: Arc<Metrics>,
    members: Mutex<Members>,
}

#[derive(Debug)]
struct Members {
    next: u64,
    outboxes: HashMap<u64, Arc<Outbox>>,
    /// What was asked of everyone, and is asked of those who come later.
    signal: Signal,
}

/// How a broadcast went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// How many connections were to get it.
    pub members: usize,
    /// How many had no room, and are closed.
    pub overflowed: usize,
}

/// A connection's place in the hub, until it is dropped.
#[derive(Debug)]
pub struct Membership {
    hub: Arc<Hub>,
    id: u64,
    outbox: Arc<Outbox>,
}

impl Hub {
    /// A hub whose members' outboxes have these bounds.
    pub fn new(limits: Limits, metrics: Arc<Metrics>) -> Self {
        let members = Mutex::new(Members {
            next: 0,
            outboxes: HashMap::new(),
            signal: Signal::None,
        });
        Self {
            limits,
            metrics,
            members,
        }
    }

    /// Adds a connection. It gets what is broadcast from here on.
    pub fn join(self: &Arc<Self>) -> Membership {
        let outbox = Arc::new(Outbox::new(self.limits));
        let mut members = self.lock();
        let id = members.next;
        members.next += 1;
        members.outboxes.insert(id, Arc::clone(&outbox));
        outbox.ask(members.signal);
        Membership {
            hub: Arc::clone(self),
            id,
            outbox,
        }
    }

    /// Delivers frames to everyone. A connection without room is closed; the others don't notice.
    pub fn broadcast(&self, frames: &[Frame]) -> Reach {
        let members = self.lock();
        let mut reach = Reach {
            members: members.outboxes.len(),
            overflowed: 0,
        };
        for outbox in members.outboxes.values() {
            if let Pushed::Overflowed(dropped) = outbox.push_all(frames) {
                reach.overflowed += 1;
                self.metrics.overflowed(dropped);
            }
        }
        reach
    }

    /// Everyone who is connected now.
    pub fn outboxes(&self) -> Vec<Arc<Outbox>> {
        self.lock().outboxes.values().cloned().collect()
    }

    /// Asks something of everyone, those who come later included.
    pub fn ask_all(&self, signal: Signal) {
        let mut members = self.lock();
        members.signal = members.signal.max(signal);
        for outbox in members.outboxes.values() {
            outbox.ask(signal);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    /// A number that no other connection of this process has.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// What waits to be written to this connection.
    pub const fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut members = self.hub.lock();
        members.outboxes.remove(&self.id);
        // After a peak the table would stay as large as the peak.
        if members.outboxes.capacity() > 1024
            && members.outboxes.len() * 8 < members.outboxes.capacity()
        {
            members.outboxes.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;

    use super::{Hub, Reach};
    use crate::{
        Batch, Frame, Metrics,
        outbox::{Limits, Signal},
    };

    fn hub() -> (Arc<Hub>, Arc<Metrics>) {
        let metrics = Arc::<Metrics>::default();
        let limits = Limits {
            frames: 2,
            bytes: 1000,
        };
        (Arc::new(Hub::new(limits, Arc::clone(&metrics))), metrics)
    }

    #[test]
    fn a_member_without_room_is_closed_and_the_others_are_served() {
        let (hub, metrics) = hub();
        let (slow, quick) = (hub.join(), hub.join());
        let frames = [Frame::text("a"), Frame::text("b")];
        assert_eq!(
            hub.broadcast(&frames),
            Reach {
                members: 2,
                overflowed: 0
            }
        );
        let mut batch = Batch::default();
        assert!(quick.outbox().take(&mut batch).now_or_never().is_some());
        assert!(
            quick
                .outbox()
                .take(&mut Batch::default())
                .now_or_never()
                .is_none()
        );
        assert_eq!(
            hub.broadcast(&frames),
            Reach {
                members: 2,
                overflowed: 1
            }
        );
        assert!(slow.outbox().asked(Signal::Slow).now_or_never().is_some());
        assert!(quick.outbox().asked(Signal::Leave).now_or_never().is_none());
        assert_eq!(metrics.slow_closes.get(), 1);
        assert_eq!(metrics.dropped_frames.get(), 4);
    }

    #[test]
    fn who_left_gets_nothing() {
        let (hub, _) = hub();
        let member = hub.join();
        assert_ne!(member.id(), hub.join().id());
        drop(member);
        assert_eq!(hub.broadcast(&[Frame::text("a")]).members, 0);
    }

    #[test]
    fn who_comes_late_is_asked_too() {
        let (hub, _) = hub();
        let early = hub.join();
        hub.ask_all(Signal::Leave);
        let late = hub.join();
        for member in [early, late] {
            assert!(
                member
                    .outbox()
                    .asked(Signal::Leave)
                    .now_or_never()
                    .is_some()
            );
        }
    }
}
